// Which ranks of a group are alive, known through beats in the rendezvous store: so that an error
// can name the rank that is gone, and so that a failure seen by one rank reaches the ranks that
// wait for something else.

#ifndef TRAINYARD_COLLECTIVE_PRESENCE_H_
#define TRAINYARD_COLLECTIVE_PRESENCE_H_

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/periodic.h"
#include "collective/store.h"

namespace trainyard::collective {

// This rank's beat, and its view of the others. Guarded; beats on a thread of its own.
class Presence {
 public:
  // `store` is a connection for this object alone.
  Presence(std::unique_ptr<Store> store, int rank, int world_size);
  Presence(const Presence&) = delete;
  Presence& operator=(const Presence&) = delete;

  // Counts a collective call that this rank starts; peers see the count with the next beat.
  void CountCall() { calls_.fetch_add(1, std::memory_order_relaxed); }

  // What the first failing rank announced, as Unavailable naming that rank. OK when none has.
  absl::Status PeerFailure() ABSL_LOCKS_EXCLUDED(mutex_);

  // Tells the peers that this rank gives up, and why. The first announcement of any rank stays.
  void Announce(absl::string_view reason) ABSL_LOCKS_EXCLUDED(mutex_);

  // After a failed call with text `what`: watches the peers for a few beats and says who is gone
  // (Unavailable), or who has not come to the call (DeadlineExceeded).
  absl::Status Diagnose(absl::string_view what) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Beat {
    int64_t beats = -1;  // -1: never seen
    int64_t calls = 0;
  };

  void Tick() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<std::vector<Beat>> ReadBeats() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const int rank_;
  const int world_size_;
  std::atomic<int64_t> calls_{0};
  absl::Mutex mutex_;
  const std::unique_ptr<Store> store_ ABSL_GUARDED_BY(mutex_);
  int64_t beats_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status peer_failure_ ABSL_GUARDED_BY(mutex_);
  Periodic periodic_;  // last: its thread uses the above
};

}  // namespace trainyard::collective

#endif  // TRAINYARD_COLLECTIVE_PRESENCE_H_
