// Ends calls that wait, from another thread.

#ifndef TRAINYARD_EVAL_CANCEL_SCOPE_H_
#define TRAINYARD_EVAL_CANCEL_SCOPE_H_

#include <grpcpp/client_context.h>

#include <set>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace trainyard::eval {

// Guarded. Once cancelled it stays so: a call that comes later is cancelled at once.
class CancelScope {
 public:
  void Cancel() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    cancelled_ = true;
    for (grpc::ClientContext* context : contexts_) context->TryCancel();
  }

  // A call under the scope, as long as it lives. `context` must outlive it.
  class Call {
   public:
    Call(CancelScope* scope, grpc::ClientContext* context) : scope_(scope), context_(context) {
      absl::MutexLock lock(&scope_->mutex_);
      scope_->contexts_.insert(context_);
      if (scope_->cancelled_) context_->TryCancel();
    }
    ~Call() {
      absl::MutexLock lock(&scope_->mutex_);
      scope_->contexts_.erase(context_);
    }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    CancelScope* const scope_;
    grpc::ClientContext* const context_;
  };

 private:
  absl::Mutex mutex_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<grpc::ClientContext*> contexts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace trainyard::eval

#endif  // TRAINYARD_EVAL_CANCEL_SCOPE_H_
