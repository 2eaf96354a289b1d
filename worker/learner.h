// A PPO learner rank: policy, frozen reference and critic, each trained one with its own optimizer.
// It knows no RPC. Free of torch in its header, so that the services may use it.

#ifndef TRAINYARD_WORKER_LEARNER_H_
#define TRAINYARD_WORKER_LEARNER_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/json.h"
#include "checkpoint/manifest.h"
#include "worker/learner_options.h"
#include "worker/published_weights.h"

namespace trainyard::collective {
class Group;
}

namespace trainyard::worker {

// The whole policy in Hugging Face form, adapters merged; or its adapters alone, as a directory of
// PEFT.
enum class PolicyForm { kModel, kAdapter };

// What a rank wrote of a checkpoint.
struct SavedShare {
  std::vector<checkpoint::FileRecord> files;
  Json state;  // for the manifest's section "learner"; the same on all ranks
};

// Owned: every method runs on the process's compute thread. After an update that failed between two
// optimizer steps, or with a broken group, every further call returns that error: the process
// reports it and exits, a new attempt restores the last commit.
class Learner {
 public:
  // Loads the models. The critic is the reward model with its (mean, deviation) folded into the
  // head, so that values start on the reward's scale. With adapters the frozen weights are held
  // once: the reference is the policy without them, and so is the trunk of a critic that has no
  // model of its own (bf16: the policy's adapted matrices are its own, merged).
  // FailedPrecondition when a tokenizer hash differs from the run's; InvalidArgument names an
  // option out of its limits. `group` outlives it.
  static absl::StatusOr<std::unique_ptr<Learner>> Create(const LearnerOptions& options,
                                                         const LearnerModels& models,
                                                         collective::Group* group);
  ~Learner();

  LearnerSpec Spec() const;

  // Iterations consumed so far.
  int64_t iteration() const;

  // Why nothing goes any more; OK while it does.
  absl::Status health() const;

  // Log-probs at the policy's temperature and mask, or values (kCritic), of every token from each
  // sequence's `begin` on. InvalidArgument names the sequence.
  absl::StatusOr<std::vector<std::vector<float>>> Score(
      ScoredModel model, absl::Span<const ScoredSequence> sequences);

  // Trains one iteration; all ranks at the same time with the same input. A repeat of the last
  // consumed (iteration, digest) returns the stored result; anything else out of order is
  // FailedPrecondition. Errors of RunPpoUpdate.
  absl::StatusOr<IterationResult> Update(
      const UpdateInput& input, const std::function<void(const MinibatchProgress&)>& progress);

  // An immutable copy of the policy as it is now, adapters merged. FailedPrecondition when it is
  // not `version`.
  absl::StatusOr<std::shared_ptr<const PublishedWeights>> Publish(int64_t version);

  // Writes this rank's share into `directory` (which exists). FailedPrecondition when `iteration`
  // iterations are not what was consumed; AlreadyExists when the files are there.
  absl::StatusOr<SavedShare> Save(int64_t iteration, const std::string& directory);

  // The state of a verified checkpoint, written at any world size. DataLoss or InvalidArgument name
  // what does not fit.
  absl::Status Restore(const std::string& directory, const checkpoint::Manifest& manifest,
                       const std::string& manifest_sha256);

  // Writes the policy (without tokenizer files). FailedPrecondition for the adapters of a policy
  // that has none.
  absl::StatusOr<std::vector<checkpoint::FileRecord>> Export(const std::string& directory,
                                                             PolicyForm form);

 private:
  struct State;
  explicit Learner(std::unique_ptr<State> state);

  const std::unique_ptr<State> state_;
};

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_LEARNER_H_
