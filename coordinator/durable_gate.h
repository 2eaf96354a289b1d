// The rule of the house in one class: nothing leaves before the batch it rests on is durable.

#ifndef TRAINYARD_COORDINATOR_DURABLE_GATE_H_
#define TRAINYARD_COORDINATOR_DURABLE_GATE_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"

namespace trainyard::coordinator {

// Holds releases until the store tells that their revision is durable, then runs them in the order
// in which they came, on one thread of its own. Guarded.
class DurableGate {
 public:
  DurableGate();
  // Releases that wait are dropped: their callers learn nothing, which is the truth.
  ~DurableGate();
  DurableGate(const DurableGate&) = delete;
  DurableGate& operator=(const DurableGate&) = delete;

  // The store's DurableListener. After a failure nothing is released any more.
  void OnDurable(absl::StatusOr<int64_t> revision) ABSL_LOCKS_EXCLUDED(mutex_);

  // Runs `release` once `revision` is durable. Revisions never fall from call to call.
  void Push(int64_t revision, std::function<void()> release) ABSL_LOCKS_EXCLUDED(mutex_);

  // Runs what is durable already, then no more. Waits for a release that runs.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  int64_t durable_revision() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Why the store failed; OK while it has not.
  absl::Status failure() const ABSL_LOCKS_EXCLUDED(mutex_);
  size_t waiting() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Held {
    int64_t revision;
    std::function<void()> release;
  };

  void Run();
  bool Wake() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  bool FrontIsDurable() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  std::deque<Held> held_ ABSL_GUARDED_BY(mutex_);
  int64_t durable_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_DURABLE_GATE_H_
