// The one thread of a process on which torch runs. Free of torch, protobuf and gRPC.

#ifndef TRAINYARD_WORKER_COMPUTE_THREAD_H_
#define TRAINYARD_WORKER_COMPUTE_THREAD_H_

#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/bounded_queue.h"

namespace trainyard::worker {

// Runs what is submitted, one after the other, on a thread of its own. Guarded; the destructor
// waits for what runs and drops what waits.
class ComputeThread {
 public:
  explicit ComputeThread(size_t queue_capacity = 64);
  ~ComputeThread();
  ComputeThread(const ComputeThread&) = delete;
  ComputeThread& operator=(const ComputeThread&) = delete;

  // ResourceExhausted when the queue is full, Unavailable when the thread is going away.
  absl::Status Submit(std::function<void()> body);

  // Submits `body` and waits for its answer. DeadlineExceeded when it did not come in time: `body`
  // may still run, so it must own what it touches.
  template <typename T>
  absl::StatusOr<T> Run(std::function<absl::StatusOr<T>()> body, absl::Duration timeout) {
    auto answer = std::make_shared<Answer<absl::StatusOr<T>>>();
    absl::Status submitted = Submit(
        [promise = std::make_shared<Promise<T>>(answer), body = std::move(body)] {
          promise->Keep(body());
        });
    if (!submitted.ok()) return submitted;
    std::optional<absl::StatusOr<T>> result = answer->Wait(timeout);
    if (!result.has_value()) return Late(timeout);
    return *std::move(result);
  }

 private:
  template <typename T>
  class Answer {
   public:
    void Set(T value) ABSL_LOCKS_EXCLUDED(mutex_) {
      absl::MutexLock lock(&mutex_);
      value_ = std::move(value);
    }
    std::optional<T> Wait(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_) {
      absl::MutexLock lock(&mutex_);
      mutex_.AwaitWithTimeout(
          absl::Condition(+[](std::optional<T>* value) { return value->has_value(); }, &value_),
          timeout);
      return std::exchange(value_, std::nullopt);
    }

   private:
    absl::Mutex mutex_;
    std::optional<T> value_ ABSL_GUARDED_BY(mutex_);
  };

  // The right to answer once. One that is dropped unused answers that nobody will.
  template <typename T>
  class Promise {
   public:
    explicit Promise(std::shared_ptr<Answer<absl::StatusOr<T>>> answer)
        : answer_(std::move(answer)) {}
    ~Promise() {
      if (!kept_) answer_->Set(absl::UnavailableError("the compute thread is going away"));
    }
    void Keep(absl::StatusOr<T> value) {
      kept_ = true;
      answer_->Set(std::move(value));
    }

   private:
    std::shared_ptr<Answer<absl::StatusOr<T>>> answer_;
    bool kept_ = false;
  };

  static absl::Status Late(absl::Duration timeout);
  void Loop();

  BoundedQueue<std::function<void()>> queue_;
  std::thread thread_;
};

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_COMPUTE_THREAD_H_
