// From prompts to scored answers: the elastic half of an iteration.

#ifndef TRAINYARD_PPO_COLLECTION_H_
#define TRAINYARD_PPO_COLLECTION_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "ppo/options.h"
#include "ppo/publication.h"
#include "ppo/reward_client.h"
#include "ppo/rollout_client.h"
#include "ppo/task_threads.h"
#include "ppo/work_queue.h"
#include "rl/trajectory.h"
#include "task/session.h"
#include "tokenizer/tokenizer.h"

namespace trainyard::ppo {

// A prompt that was drawn.
struct DrawnPrompt {
  int64_t row = 0;
  std::shared_ptr<const std::vector<int32_t>> token_ids;
  std::string text;
  std::string reference;
};

// What a collection works with; all outlive it.
struct CollectionContext {
  const ControllerOptions* options = nullptr;
  task::TaskSession* session = nullptr;
  Publication* publication = nullptr;
  const tokenizer::Tokenizer* tokenizer = nullptr;
  std::function<bool(const task::Peer&)> admit;  // whether a task may work at all
  const Clock* clock = nullptr;
};

struct CollectionReport {
  std::vector<rl::Trajectory> trajectories;  // canonical order, every sample of every row
  std::map<std::string, double> metrics;
};

// One collection: `samples` answers for each prompt, all scored. Rollout and reward tasks may come,
// go or die meanwhile: what they had in hand goes to others and comes out the same. Answers are
// scored as they finish. A score that failed for a reason of infrastructure is asked for again,
// elsewhere; a scorer's own verdict (REJECTED) is final.
//
// Owned by the controller's thread; it works on threads of its own.
class Collection {
 public:
  Collection(const CollectionContext& context, std::vector<DrawnPrompt> prompts, int64_t samples);
  ~Collection();

  // Until everything is scored. DeadlineExceeded when no answer and no score came for the stall
  // limit, naming what it waits for; waiting for a rollout task that is not there (scaled to zero)
  // does not count. FailedPrecondition when more than max_failed_fraction is refused by its scorer.
  // Cancelled when the task is to stop.
  absl::StatusOr<CollectionReport> Run(int64_t iteration);

 private:
  using Key = std::pair<int64_t, int64_t>;  // row, sample

  absl::Status GenerateSome(const task::Peer& peer, CancelScope* scope);
  absl::Status ScoreSome(const task::Peer& peer, CancelScope* scope);
  // Names the task among those that were asked until the result goes out of scope.
  auto Asking(const task::Peer& peer) ABSL_LOCKS_EXCLUDED(mutex_);
  void Answered(rl::Trajectory trajectory) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Wait(int64_t iteration);
  absl::Status Stalled() const ABSL_LOCKS_EXCLUDED(mutex_);
  bool Finished() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return done_.size() == total_; }
  absl::StatusOr<CollectionReport> Report() ABSL_LOCKS_EXCLUDED(mutex_);

  const CollectionContext context_;
  std::map<int64_t, DrawnPrompt> prompts_;  // by row; constant
  const size_t total_;

  WorkQueue<SampleRequest> to_generate_;
  WorkQueue<Answer> to_score_;
  std::atomic<int> rollout_tasks_{0};
  std::atomic<int> reward_tasks_{0};

  mutable absl::Mutex mutex_;
  std::map<Key, rl::Trajectory> done_ ABSL_GUARDED_BY(mutex_);
  size_t generated_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t generated_tokens_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t retried_answers_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<rl::ScoreStatus, int64_t> failed_scores_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int64_t> answers_by_task_ ABSL_GUARDED_BY(mutex_);
  std::string last_failure_ ABSL_GUARDED_BY(mutex_);
  std::multiset<std::string> asked_ ABSL_GUARDED_BY(mutex_);  // a call to them is under way
  absl::Duration last_progress_ ABSL_GUARDED_BY(mutex_);
  absl::Duration generated_at_ ABSL_GUARDED_BY(mutex_);  // when the last answer came
  absl::Duration begun_at_;

  // Last: their threads use all of the above.
  std::unique_ptr<TaskThreads> rollout_threads_;
  std::unique_ptr<TaskThreads> reward_threads_;
};

}  // namespace trainyard::ppo

#endif  // TRAINYARD_PPO_COLLECTION_H_
