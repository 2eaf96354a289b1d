// Between the core's plain structs and the messages of proto/trainyard/v1. Pure functions; with the
// spec_* files the only place where both are known.

#ifndef TRAINYARD_COORDINATOR_WIRE_H_
#define TRAINYARD_COORDINATOR_WIRE_H_

#include <map>
#include <string>
#include <vector>

#include "coordinator/core/core.h"
#include "coordinator/core/decision.h"
#include "coordinator/core/event.h"
#include "coordinator/job_board.h"
#include "trainyard/v1/agent.pb.h"
#include "trainyard/v1/coordinator.pb.h"
#include "trainyard/v1/task.pb.h"
#include "wire/records.h"

namespace trainyard::coordinator {

// Microseconds since the Unix epoch; 0 for "not yet".
int64_t ToMicros(absl::Time time);

using wire::FromWire;
using wire::ToWire;
v1::Artifact ToWire(const ArtifactRow& artifact);
v1::Checkpoint ToWire(const CheckpointRow& checkpoint);
v1::Task ToWire(const TaskRecord& task);
// Without its tasks.
v1::Attempt ToWire(const AttemptRecord& attempt);
// Without current, progress and checkpoints.
v1::Job ToWire(const JobRecord& job);
// With its current attempt and progress; without checkpoints.
v1::Job ToWire(const JobView& view);
// Without the jobs themselves.
v1::Pipeline ToWire(const PipelineRecord& pipeline);
v1::Node ToWire(const NodeView& node, absl::Time now);
v1::Event ToWire(const EventRow& event);

// Without whose it is.
ArtifactRow FromWire(const v1::Artifact& artifact);
AgentRegister FromWire(const v1::AgentRegister& message, SessionId session);
AgentActualSet FromWire(const v1::AgentActualSet& message, SessionId session);

// What an agent's or a task's message means. An empty message is a Tick: harmless.
Event FromAgent(const v1::AgentMessage& message, SessionId session);
Event FromTask(const v1::TaskMessage& message, SessionId session);

// The message for an order. An order of the other kind of session becomes an empty message;
// CloseSession is not a message and is never passed.
v1::CoordinatorToAgent ToAgent(const Order& order);
v1::CoordinatorToTask ToTask(const Order& order);

// What a task is started with, as its agent completes it. The spec's bytes were valid once.
v1::TaskAssignment ToWire(const Assignment& assignment);

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_WIRE_H_
