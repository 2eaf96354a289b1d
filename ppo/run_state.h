// Everything that the controller must know to go on, as one manifest holds it beside the learners'.

#ifndef TRAINYARD_PPO_RUN_STATE_H_
#define TRAINYARD_PPO_RUN_STATE_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "checkpoint/manifest.h"
#include "rl/ledger_rows.h"

namespace trainyard::ppo {

// A value.
struct RunState {
  int64_t iteration = 0;  // consumed
  int64_t version = 0;    // of the policy
  double beta = 0;        // of the next iteration
  uint64_t seed = 0;
  std::string data_fingerprint;
  std::string tokenizer_hash;
  std::string reward_spec_hash;
  std::map<std::string, std::string> numerics;  // by role
  rl::LedgerRows ledger;
};

// The sections "controller" and "ledger".
void WriteSections(const RunState& state, checkpoint::Manifest& manifest);

// DataLoss when a section is missing, ill-formed, or contradicts the other.
absl::StatusOr<RunState> ReadSections(const checkpoint::Manifest& manifest);

// FailedPrecondition, naming the first difference, when `now` (seed, data, tokenizer, reward) is
// not what the run was begun with.
absl::Status CheckSameRun(const RunState& restored, const RunState& now);

}  // namespace trainyard::ppo

#endif  // TRAINYARD_PPO_RUN_STATE_H_
