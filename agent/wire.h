// Plain structs <-> trainyard.v1 messages of the agent's session. No decisions.

#ifndef TRAINYARD_AGENT_WIRE_H_
#define TRAINYARD_AGENT_WIRE_H_

#include <optional>

#include "agent/core.h"
#include "trainyard/v1/agent.pb.h"

namespace trainyard::agent {

v1::AgentMessage ToWire(const AgentSays& message);
// Nothing for a message this version does not know.
std::optional<AgentHears> FromWire(const v1::CoordinatorToAgent& wire);

}  // namespace trainyard::agent

#endif  // TRAINYARD_AGENT_WIRE_H_
