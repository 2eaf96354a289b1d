// All learner ranks, called together.

#ifndef TRAINYARD_PPO_LEARNERS_H_
#define TRAINYARD_PPO_LEARNERS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/json.h"
#include "checkpoint/safetensors.h"
#include "ppo/options.h"
#include "rl/balance.h"
#include "rl/trajectory.h"
#include "task/session.h"
#include "trainyard/v1/policy.grpc.pb.h"
#include "trainyard/v1/weights.pb.h"

namespace trainyard::ppo {

// The whole policy in Hugging Face form, adapters merged; or its adapters alone, as a directory of
// PEFT.
enum class PolicyForm { kModel, kAdapter };

struct LearnerSpec {
  int64_t version = 0;
  int64_t iteration = 0;  // consumed so far
  std::string tokenizer_hash;
  std::string numerics_id;
  std::string restored_manifest_sha256;  // empty: from scratch
};

struct Update {
  int64_t iteration = 0;
  int64_t base_version = 0;
  rl::IterationPlan plan;
  double beta = 0;
  bool critic_only = false;
  std::vector<rl::Trajectory> trajectories;  // canonical order
};

struct UpdateResult {
  int64_t version = 0;
  std::map<std::string, double> metrics;
  std::string weights_digest;
};

struct SavedState {
  std::vector<checkpoint::FileRecord> files;
  Json state;
};

// Owned by the controller's thread. Any rank's error is the call's: it names the rank, and has the
// cause NAN when a number was not finite there.
class Learners {
 public:
  // `peers` by rank.
  Learners(const std::vector<task::Peer>& peers, const ControllerOptions& options);

  // Internal when the ranks disagree.
  absl::StatusOr<LearnerSpec> GetSpec();

  // Sends the update to every rank. `on_progress` (of rank 0) is called on another thread. A broken
  // connection is tried again with the same key. Internal when the ranks' weights differ.
  absl::StatusOr<UpdateResult> Run(const Update& update,
                                   const std::function<void(int pass, int minibatch)>& on_progress);

  // Rank 0: the manifest of the policy as it is, which is `version`.
  absl::StatusOr<v1::WeightsManifest> Publish(int64_t version);
  // Rank 0: `version` and those before it are not read any more. Best effort.
  void Release(int64_t version);

  // Every rank writes its share into the directory. Internal when their states differ.
  absl::StatusOr<SavedState> Save(int64_t iteration, const std::string& directory_uri);
  // Rank 0 writes the policy.
  absl::StatusOr<std::vector<checkpoint::FileRecord>> Export(const std::string& directory_uri,
                                                             PolicyForm form);

  // Rank 0's log-probs of answers, one list per trajectory over its trained tokens' whole range.
  absl::StatusOr<std::vector<std::vector<float>>> Score(
      v1::PolicyModel model, const std::vector<rl::Trajectory>& trajectories);

 private:
  using Stub = v1::PolicyService::Stub;

  template <typename T>
  absl::StatusOr<std::vector<T>> OnAll(
      const std::function<absl::StatusOr<T>(Stub&, int rank)>& call);
  absl::StatusOr<v1::UpdateResult> UpdateOne(
      Stub& stub, const std::vector<v1::UpdateRequest>& requests,
      const std::function<void(int, int)>& on_progress);

  const ControllerOptions& options_;
  std::vector<std::unique_ptr<Stub>> stubs_;
};

}  // namespace trainyard::ppo

#endif  // TRAINYARD_PPO_LEARNERS_H_
