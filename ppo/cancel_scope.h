// Ends the calls of one thread from another.

#ifndef TRAINYARD_PPO_CANCEL_SCOPE_H_
#define TRAINYARD_PPO_CANCEL_SCOPE_H_

#include <grpcpp/client_context.h>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace trainyard::ppo {

// Guarded. The thread that calls attaches the context of the call it is in; others cancel.
class CancelScope {
 public:
  // Ends the call in progress and every later one at its start.
  void Cancel() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    cancelled_ = true;
    retired_ = true;
    if (context_ != nullptr) context_->TryCancel();
  }

  // Takes no further work; the call in progress may end by itself.
  void Retire() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    retired_ = true;
  }

  bool retired() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return retired_;
  }

  // Waits, at most `timeout`, for Cancel or Retire.
  void WaitRetired(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout(absl::Condition(&retired_), timeout);
  }

  // A call made under the scope, from construction to destruction.
  class Attached {
   public:
    Attached(CancelScope* scope, grpc::ClientContext* context) : scope_(scope) {
      absl::MutexLock lock(&scope_->mutex_);
      scope_->context_ = context;
      if (scope_->cancelled_) context->TryCancel();
    }
    ~Attached() {
      absl::MutexLock lock(&scope_->mutex_);
      scope_->context_ = nullptr;
    }
    Attached(const Attached&) = delete;
    Attached& operator=(const Attached&) = delete;

   private:
    CancelScope* const scope_;
  };

 private:
  mutable absl::Mutex mutex_;
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool retired_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace trainyard::ppo

#endif  // TRAINYARD_PPO_CANCEL_SCOPE_H_
