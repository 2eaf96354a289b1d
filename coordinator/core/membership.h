// Nodes: registration, leases, what their agents report, leaving and draining.

#ifndef TRAINYARD_COORDINATOR_CORE_MEMBERSHIP_H_
#define TRAINYARD_COORDINATOR_CORE_MEMBERSHIP_H_

#include "coordinator/core/draft.h"

namespace trainyard::coordinator {

// Welcomes the agent, or closes its stream:
//   AlreadyExists       another live agent has the node's name; both hosts are named
//   Aborted             it has opened a newer stream since
//   FailedPrecondition  it has seen a higher term, or a root of it is other storage than its peers'
void OnAgentRegister(Draft& draft, const AgentRegister& event);

// Messages of a stream that is not registered (any more) close it: Aborted.
void OnAgentHeartbeat(Draft& draft, const AgentHeartbeat& event);
void OnAgentActualSet(Draft& draft, const AgentActualSet& event);
void OnAgentTaskExit(Draft& draft, const AgentTaskExit& event);
void OnAgentPreflight(Draft& draft, const AgentPreflight& event);
void OnAgentLeaving(Draft& draft, const AgentLeaving& event);
void OnAgentSessionLost(Draft& draft, const AgentSessionLost& event);

void OnCordonNode(Draft& draft, const CordonNode& event);
void OnDrainNode(Draft& draft, const DrainNode& event);

// Nodes whose lease ran out are LOST, and what ran there.
void ExpireLeases(Draft& draft);

// The step came late: everybody's lease is stretched by the gap.
void StretchLeases(State& state, absl::Duration gap);

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_CORE_MEMBERSHIP_H_
