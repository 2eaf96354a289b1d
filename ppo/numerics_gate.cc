#include "ppo/numerics_gate.h"

#include "base/log.h"

namespace trainyard::ppo {

bool NumericsGate::Admit(const task::Peer& peer) {
  const auto [known, first] = ids_.emplace(peer.role, peer.numerics_id);
  if (known->second == peer.numerics_id) return true;
  if (refused_.insert(peer.task_uid).second) {
    Log().error("{}/{} on {} computes as \"{}\", this run's {} tasks as \"{}\": it gets no work; "
                "resume with --allow-numerics-change to change it",
                peer.role, peer.index, peer.node, peer.numerics_id, peer.role, known->second);
  }
  return false;
}

}  // namespace trainyard::ppo
