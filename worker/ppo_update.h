// One PPO iteration on one rank: score, agree on targets, train the minibatches. No RPC, no state
// of its own beyond the call.

#ifndef TRAINYARD_WORKER_PPO_UPDATE_H_
#define TRAINYARD_WORKER_PPO_UPDATE_H_

#include <functional>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "collective/group.h"
#include "model/transformer.h"
#include "worker/learner_options.h"
#include "worker/parameter_set.h"

namespace trainyard::worker {

// What an update works on. All pointers outlive the call; the models' parameters are those of the
// sets.
struct PpoModels {
  model::Model* policy = nullptr;
  model::Model* reference = nullptr;  // frozen
  model::Model* critic = nullptr;
  ParameterSet* policy_set = nullptr;
  ParameterSet* critic_set = nullptr;
  collective::Group* group = nullptr;
};

using ProgressSink = std::function<void(const MinibatchProgress&)>;

struct PpoUpdateOutcome {
  absl::Status status;
  // Whether an optimizer was stepped: after a failure the models are then between two versions and
  // of no further use.
  bool stepped = false;
  std::map<std::string, double> metrics;
};

// Every rank calls it with the same input, on its compute thread; every decision (targets, early
// stop, non-finite values) is taken from numbers that are equal on all ranks.
//
// InvalidArgument: the input contradicts itself or the policy's definition. FailedPrecondition: the
// rollout's log-probs are further away than rollout_gap_limit. DataLoss: a log-prob, value, score,
// loss or gradient is not finite, with its name; that optimizer step was not taken. Else the
// group's error.
PpoUpdateOutcome RunPpoUpdate(const UpdateInput& input, const LearnerOptions& options,
                              const PpoModels& models, const ProgressSink& progress);

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_PPO_UPDATE_H_
