// Plain structs <-> trainyard.v1 messages of the task's session. No decisions.

#ifndef TRAINYARD_TASK_WIRE_H_
#define TRAINYARD_TASK_WIRE_H_

#include <optional>

#include "base/end_class.h"
#include "task/assignment.h"
#include "task/core.h"
#include "trainyard/v1/task.pb.h"

namespace trainyard::task {

v1::EndReason ToWire(const EndReason& reason);
EndReason FromWire(const v1::EndReason& wire);

v1::Artifact ToWire(const Artifact& artifact);
Artifact FromWire(const v1::Artifact& wire);
Checkpoint FromWire(const v1::Checkpoint& wire);
Assignment FromWire(const v1::TaskAssignment& wire);

v1::TaskMessage ToWire(const TaskSays& message);
TaskSays FromWire(const v1::TaskMessage& wire);
v1::CoordinatorToTask ToWire(const TaskHears& message);
// Nothing for a message this version does not know.
std::optional<TaskHears> FromWire(const v1::CoordinatorToTask& wire);

}  // namespace trainyard::task

#endif  // TRAINYARD_TASK_WIRE_H_
