// Calls that wait for the core's answer.

#ifndef TRAINYARD_COORDINATOR_CALL_TABLE_H_
#define TRAINYARD_COORDINATOR_CALL_TABLE_H_

#include <functional>
#include <map>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/core/decision.h"

namespace trainyard::coordinator {

// Guarded. Each answer runs once, on the thread that resolves it, without the lock.
class CallTable {
 public:
  using Answer = std::function<void(const Reply&)>;

  CallId Add(Answer answer) ABSL_LOCKS_EXCLUDED(mutex_);
  // Runs the answer of reply.call; nothing when it is not there (any more).
  void Resolve(const Reply& reply) ABSL_LOCKS_EXCLUDED(mutex_);
  // Answers everything that waits, and everything added later, with `status`.
  void FailAll(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  size_t size() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable absl::Mutex mutex_;
  CallId next_ ABSL_GUARDED_BY(mutex_) = 1;
  std::map<CallId, Answer> waiting_ ABSL_GUARDED_BY(mutex_);
  absl::Status closed_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_CALL_TABLE_H_
