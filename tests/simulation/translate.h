// What the gRPC services do for real: messages of the agent's and the task's core to and from the
// coordinator's.

#ifndef TRAINYARD_TESTS_SIMULATION_TRANSLATE_H_
#define TRAINYARD_TESTS_SIMULATION_TRANSLATE_H_

#include <optional>

#include "agent/core.h"
#include "coordinator/core/decision.h"
#include "coordinator/core/event.h"
#include "task/core.h"

namespace trainyard::simulation {

coordinator::Event ToEvent(coordinator::SessionId session, const agent::AgentSays& message);
// Nothing for what has no counterpart in the coordinator's core (metrics).
std::optional<coordinator::Event> ToEvent(coordinator::SessionId session,
                                          const task::TaskSays& message);

// Nothing for an order that is not for an agent or a task. A desired task's assignment is the
// position of its order: see SimNode.
std::optional<agent::AgentHears> ToAgent(const coordinator::Order& order);
std::optional<task::TaskHears> ToTask(const coordinator::Order& order);

}  // namespace trainyard::simulation

#endif  // TRAINYARD_TESTS_SIMULATION_TRANSLATE_H_
