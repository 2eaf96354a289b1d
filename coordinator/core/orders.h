// The levels that agents and tasks are told: what should run on a node, and who is who in a job.

#ifndef TRAINYARD_COORDINATOR_CORE_ORDERS_H_
#define TRAINYARD_COORDINATOR_CORE_ORDERS_H_

#include <string>
#include <vector>

#include "coordinator/core/draft.h"

namespace trainyard::coordinator {

// Everything that should be on the node: each task that holds a slot there and whose attempt is
// past its preflight.
std::vector<DesiredTask> DesiredOn(const State& state, const Node& node);

// Everybody of the job's attempt that may still run.
std::vector<Peer> PeersOf(const State& state, const Job& job);

// Sends what changed and is due: desired sets at once, peers once in a while (peer_spacing) and
// only to those who do not know them.
void SendLevels(Draft& draft);

// When peers that are held back are due; infinite = none are.
absl::Time LevelsDueAt(const State& state);

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_CORE_ORDERS_H_
