// What watchers see: the durable state of every live job with its current attempt, and the progress
// and metrics that are never stored.

#ifndef TRAINYARD_COORDINATOR_JOB_BOARD_H_
#define TRAINYARD_COORDINATOR_JOB_BOARD_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/core/decision.h"
#include "coordinator/core/records.h"

namespace trainyard::coordinator {

// One job as it stands.
struct JobView {
  JobRecord job;
  std::optional<AttemptRecord> attempt;   // the current one
  std::map<uint64_t, TaskRecord> tasks;   // of the current attempt
  std::map<uint64_t, Progress> progress;  // by task_uid
  std::map<std::string, double> metrics;  // latest of the task that speaks for the job
  // Task that speaks for the job: its controller, else index 0 of trainer or learner. 0 = none.
  uint64_t speaker = 0;
};

// Guarded. A job leaves the board with the batch that makes it terminal (and comes back on retry).
class JobBoard {
 public:
  explicit JobBoard(const Snapshot& snapshot);

  // Takes a durable batch in. Views of the jobs it changed, each once.
  std::vector<JobView> Apply(const Batch& batch) ABSL_LOCKS_EXCLUDED(mutex_);
  void Observe(const LiveProgress& progress) ABSL_LOCKS_EXCLUDED(mutex_);
  // Metrics from a task. False, and nothing kept, when it does not speak for a live job.
  bool Observe(const std::string& job_id, uint64_t task_uid,
               const std::map<std::string, double>& metrics) ABSL_LOCKS_EXCLUDED(mutex_);

  // Nothing when the job is not live.
  std::optional<JobView> Find(const std::string& job_id) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Jobs whose progress or metrics changed since the last call.
  std::vector<std::string> TakeChanged() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Put(const JobRecord& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Put(const AttemptRecord& attempt) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Put(const TaskRecord& task) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  std::map<std::string, JobView> jobs_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, bool> changed_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_JOB_BOARD_H_
