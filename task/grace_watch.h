// No task outlives the grace of its stop.

#ifndef TRAINYARD_TASK_GRACE_WATCH_H_
#define TRAINYARD_TASK_GRACE_WATCH_H_

#include <optional>

#include "absl/time/time.h"
#include "base/periodic.h"
#include "task/session.h"

namespace trainyard::task {

// What is to happen to a task that was ordered to stop and has not ended by itself.
enum class WhenStopped {
  kFinishWithinGrace,  // it has something to save or to drain: after the grace, DEADLINE
  kEndAtOnce,          // everything that counts is on disk already: DRAINED
};

// Ends the process, on a thread of its own, as long as it lives.
class GraceWatch {
 public:
  // `session` must outlive it.
  GraceWatch(TaskSession* session, WhenStopped when_stopped);

 private:
  void Look();

  TaskSession* const session_;
  const WhenStopped when_stopped_;
  std::optional<absl::Duration> ordered_at_;  // of the periodic thread
  Periodic periodic_;
};

}  // namespace trainyard::task

#endif  // TRAINYARD_TASK_GRACE_WATCH_H_
