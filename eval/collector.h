// Draws the answers to many prompts from whatever rollout tasks there are, and keeps them.

#ifndef TRAINYARD_EVAL_COLLECTOR_H_
#define TRAINYARD_EVAL_COLLECTOR_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/bounded_queue.h"
#include "base/clock.h"
#include "data/prompt_source.h"
#include "eval/answer_log.h"
#include "eval/cancel_scope.h"
#include "eval/rollout_client.h"
#include "eval/sampling.h"
#include "rpc/fence.h"
#include "task/session.h"
#include "tokenizer/tokenizer.h"

namespace trainyard::eval {

struct CollectorOptions {
  const tokenizer::Tokenizer* tokenizer = nullptr;
  std::string tokenizer_sha256;
  Sampling sampling;
  std::optional<int> rollout_index;          // only this rollout task; nothing: all of them
  bool scored = false;                       // by reward tasks, before a row is kept
  absl::Duration stall = absl::Minutes(10);  // longest time without a row or a new token
};

// One thread (the caller of Run) decides and writes the log; one lane (a thread) per rollout task
// draws. A lane whose task is gone gives back what is unfinished; tasks that come are taken in.
class Collector {
 public:
  // All must outlive it.
  Collector(task::TaskSession* session, const rpc::JobFence& fence,
            const CollectorOptions& options);
  ~Collector();
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

  // Where a run is.
  struct Progress {
    int64_t rows = 0;      // in the log
    bool waiting = false;  // there is no rollout task to draw them
    double tokens_per_second = 0;  // of all rollout tasks; looked at while no row is finished
  };

  // Returns when every prompt has its row in `log`; `on_progress` hears of every change. Once.
  // DeadlineExceeded: no row was finished and no token drawn for `stall`, says what it waited for.
  // Any other error of a task that another try would not help.
  absl::Status Run(const std::vector<const data::Prompt*>& prompts, AnswerLog* log,
                   const std::function<void(const Progress&)>& on_progress);

 private:
  // What a lane tells: rows that are finished, or that it has ended and why.
  struct LaneReport {
    std::vector<AnsweredRow> rows;
    std::optional<absl::Status> ended;
    uint64_t task_uid = 0;
  };
  class Lane;

  void StartLanes();
  absl::Status OnEnded(const LaneReport& report);
  absl::Status Stalled() const;
  // Whether the rollout tasks draw at another rate than when last looked at.
  bool RateChanged(Progress* progress);
  std::vector<const data::Prompt*> TakeChunk() ABSL_LOCKS_EXCLUDED(mutex_);
  void GiveBack(const std::vector<const data::Prompt*>& prompts) ABSL_LOCKS_EXCLUDED(mutex_);
  bool HasPending() const ABSL_LOCKS_EXCLUDED(mutex_);

  task::TaskSession* const session_;
  const rpc::JobFence fence_;
  const CollectorOptions options_;
  CancelScope scope_;
  BoundedQueue<LaneReport> reports_;
  std::map<uint64_t, std::unique_ptr<Lane>> lanes_;  // by task
  std::map<uint64_t, absl::Duration> not_before_;    // monotonic; after a failure
  absl::Status last_failure_;
  absl::Duration looked_at_ = Clock::Real().Monotonic();
  mutable absl::Mutex mutex_;
  std::deque<const data::Prompt*> pending_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace trainyard::eval

#endif  // TRAINYARD_EVAL_COLLECTOR_H_
