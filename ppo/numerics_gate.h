// One numerics id per role and job: an odd task gets no work.

#ifndef TRAINYARD_PPO_NUMERICS_GATE_H_
#define TRAINYARD_PPO_NUMERICS_GATE_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "task/session.h"

namespace trainyard::ppo {

// Owned by the controller's thread.
class NumericsGate {
 public:
  // `known`: ids by role of the run that is resumed; empty for a new one.
  explicit NumericsGate(std::map<std::string, std::string> known) : ids_(std::move(known)) {}

  // Whether the task computes like its role does. The first task of a role decides, if the run did
  // not. A task that is refused is named in the log, once.
  bool Admit(const task::Peer& peer);

  // By role.
  const std::map<std::string, std::string>& ids() const { return ids_; }

 private:
  std::map<std::string, std::string> ids_;
  std::set<uint64_t> refused_;
};

}  // namespace trainyard::ppo

#endif  // TRAINYARD_PPO_NUMERICS_GATE_H_
