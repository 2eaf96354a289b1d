// What a session has heard, where the task's threads wait for it.

#ifndef TRAINYARD_TASK_BOARD_H_
#define TRAINYARD_TASK_BOARD_H_

#include <functional>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "task/session.h"

namespace trainyard::task {

// Guarded. Written by the session, read by everybody.
class Board {
 public:
  void SetPeers(PeerSnapshot peers) ABSL_LOCKS_EXCLUDED(mutex_);
  // The first order stays.
  void SetStop(const StopOrder& order) ABSL_LOCKS_EXCLUDED(mutex_);
  void SetEnded(absl::Status status) ABSL_LOCKS_EXCLUDED(mutex_);

  PeerSnapshot peers() const ABSL_LOCKS_EXCLUDED(mutex_);
  std::optional<StopOrder> stop() const ABSL_LOCKS_EXCLUDED(mutex_);

  // As TaskSession's methods of these names.
  absl::StatusOr<PeerSnapshot> WaitForPeers(
      const std::function<bool(const PeerSnapshot&)>& predicate, absl::Duration timeout)
      ABSL_LOCKS_EXCLUDED(mutex_);
  std::optional<StopOrder> WaitForStop(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_);

  // What the session ended with; DeadlineExceeded when it did not.
  absl::Status WaitForEnd(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable absl::Mutex mutex_;
  // Counts changes of peers: the revision may stay the same across a restart of the coordinator.
  int64_t peers_changes_ ABSL_GUARDED_BY(mutex_) = 0;
  PeerSnapshot peers_ ABSL_GUARDED_BY(mutex_);
  std::optional<StopOrder> stop_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> ended_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace trainyard::task

#endif  // TRAINYARD_TASK_BOARD_H_
