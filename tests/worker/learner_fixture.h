// A tiny policy, reward model and iteration for tests of the PPO learner.

#ifndef TRAINYARD_TESTS_WORKER_LEARNER_FIXTURE_H_
#define TRAINYARD_TESTS_WORKER_LEARNER_FIXTURE_H_

#include <memory>
#include <string>
#include <vector>

#include "worker/learner.h"
#include "worker/learner_options.h"

namespace trainyard::worker {

inline constexpr int64_t kVocabulary = 48;
inline constexpr int32_t kEndId = 3;
inline constexpr int64_t kForbiddenId = 0;

// Directories that live as long as the object.
class TinyModels {
 public:
  // The reward model has normalisation (mean 0.3, deviation 0.7) when `normalised`.
  explicit TinyModels(bool normalised = true);
  ~TinyModels();
  TinyModels(const TinyModels&) = delete;
  TinyModels& operator=(const TinyModels&) = delete;

  LearnerModels models() const { return {root_ + "/policy", root_ + "/reward", ""}; }
  const std::string& root() const { return root_; }

 private:
  std::string root_;
};

// A policy of so many ids that is bound to no tokenizer.
void SaveTinyPolicy(const std::string& directory, int64_t vocabulary);

// Temperature 0.7, a forbidden id, two tokens before the end; sizeable steps.
LearnerOptions TinyOptions(checkpoint::DType dtype);

// `rows` answers of 3 to 10 tokens after prompts of 2 to 5, with rewards. Each has an end but every
// fifth. Log-probs are all 0: tests that gate them fill them in.
std::vector<rl::Trajectory> TinyTrajectories(int64_t rows, int64_t version, uint64_t seed);

// A learner of one rank, its group included.
std::shared_ptr<Learner> SoleLearner(const LearnerOptions& options, const LearnerModels& models);

// The iteration that trains them, planned for `ranks`.
UpdateInput TinyUpdate(int64_t iteration, int64_t rows, int64_t ranks);

}  // namespace trainyard::worker

#endif  // TRAINYARD_TESTS_WORKER_LEARNER_FIXTURE_H_
