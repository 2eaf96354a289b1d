// The reward on a thread of its own: calls leave their items, results come back as they are ready.
// Items of calls that come within two milliseconds are scored together, oldest first; one whose
// content was scored before is not scored again.

#ifndef TRAINYARD_REWARD_SERVICE_SCORING_LOOP_H_
#define TRAINYARD_REWARD_SERVICE_SCORING_LOOP_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/bounded_queue.h"
#include "base/clock.h"
#include "reward_service/reward.h"
#include "reward_service/score_cache.h"

namespace trainyard::reward_service {

struct ScoringLoad {
  int queued = 0;   // items
  int running = 0;
  double scores_per_second = 0;  // over about the last second of work
};

// What the reward is, as told by the scoring thread once it is loaded.
struct RewardFacts {
  std::string hash;
  std::vector<std::string> names;
  std::optional<LearnedScorerCard> learned;
};

// Guarded: any thread may call any method.
class ScoringLoop {
 public:
  using Results = BoundedQueue<ScoredItem>;

  // Makes the reward on the scoring thread (where torch lives) and waits for it.
  static absl::StatusOr<std::unique_ptr<ScoringLoop>> Start(
      std::function<absl::StatusOr<std::unique_ptr<Reward>>()> make, const Clock& clock);
  // Waits for the items being scored; what is queued gets no result.
  ~ScoringLoop();
  ScoringLoop(const ScoringLoop&) = delete;
  ScoringLoop& operator=(const ScoringLoop&) = delete;

  // Queues the items; each gives one result, in any order, all of them by about `deadline` (late
  // ones with kTimeout). Closing the queue says that nobody wants them any more.
  // ResourceExhausted when the server has too much to do.
  absl::StatusOr<std::shared_ptr<Results>> Submit(std::vector<ScoreItem> items,
                                                  absl::Time deadline);

  const RewardFacts& facts() const { return facts_; }
  ScoringLoad load() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Call {
    std::vector<ScoreItem> items;
    absl::Time deadline;
    std::shared_ptr<Results> results;
  };
  // An item on the scoring thread.
  struct Waiting {
    ScoreItem item;
    absl::Time deadline;
    std::shared_ptr<Results> results;
    std::string key;                   // in the cache
    std::optional<ScoredItem> scored;  // once it is known
  };

  explicit ScoringLoop(const Clock& clock);
  void Run();
  // Moves calls to `waiting_`; false when there is none and there will be none.
  bool Gather();
  void Take(Call call);
  std::vector<Waiting> NextChunk() ABSL_LOCKS_EXCLUDED(mutex_);
  // Scores what no cache knew.
  void ScoreChunk(std::vector<Waiting>& chunk);
  void Deliver(std::vector<Waiting> chunk) ABSL_LOCKS_EXCLUDED(mutex_);

  const Clock& clock_;
  BoundedQueue<Call> calls_;
  std::atomic<bool> stopping_{false};
  RewardFacts facts_;

  // The scoring thread's own.
  std::unique_ptr<Reward> reward_;
  ScoreCache cache_;
  std::deque<Waiting> waiting_;
  absl::Duration window_begin_;
  int window_scores_ = 0;

  mutable absl::Mutex mutex_;
  ScoringLoad load_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace trainyard::reward_service

#endif  // TRAINYARD_REWARD_SERVICE_SCORING_LOOP_H_
