// The way of other threads to the one thread of a process on which torch runs. Free of torch,
// protobuf and gRPC.

#ifndef TRAINYARD_WORKER_COMPUTE_QUEUE_H_
#define TRAINYARD_WORKER_COMPUTE_QUEUE_H_

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/bounded_queue.h"

namespace trainyard::worker {

// Runs what is submitted, one after the other, on the thread that serves. Guarded. What still waits
// when it is closed is dropped, and answered as Unavailable.
class ComputeQueue {
 public:
  explicit ComputeQueue(size_t capacity = 64) : queue_(capacity) {}
  ComputeQueue(const ComputeQueue&) = delete;
  ComputeQueue& operator=(const ComputeQueue&) = delete;

  // Runs what is submitted on this thread until `done`, which is asked between two pieces of work
  // and at least ten times a second. Then closes the queue. Once.
  void Serve(const std::function<bool()>& done);

  // ResourceExhausted when the queue is full, Unavailable when it is closed.
  absl::Status Submit(std::function<void()> body);

  // Submits `body` and waits for its answer. DeadlineExceeded when it did not come in time: `body`
  // may still run, so it must own what it touches.
  template <typename T>
  absl::StatusOr<T> Run(std::function<absl::StatusOr<T>()> body, absl::Duration timeout) {
    auto answer = std::make_shared<Answer<T>>();
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
    void Set(absl::StatusOr<T> value) ABSL_LOCKS_EXCLUDED(mutex_) {
      absl::MutexLock lock(&mutex_);
      value_ = std::move(value);
    }
    std::optional<absl::StatusOr<T>> Wait(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_) {
      absl::MutexLock lock(&mutex_);
      mutex_.AwaitWithTimeout(absl::Condition(this, &Answer::There), timeout);
      return std::exchange(value_, std::nullopt);
    }

   private:
    bool There() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return value_.has_value(); }

    absl::Mutex mutex_;
    std::optional<absl::StatusOr<T>> value_ ABSL_GUARDED_BY(mutex_);
  };

  // The right to answer once. One that is dropped unused answers that nobody will.
  template <typename T>
  class Promise {
   public:
    explicit Promise(std::shared_ptr<Answer<T>> answer) : answer_(std::move(answer)) {}
    ~Promise() {
      if (!kept_) answer_->Set(absl::UnavailableError("the process is going away"));
    }
    void Keep(absl::StatusOr<T> value) {
      kept_ = true;
      answer_->Set(std::move(value));
    }

   private:
    const std::shared_ptr<Answer<T>> answer_;
    bool kept_ = false;
  };

  static absl::Status Late(absl::Duration timeout);

  BoundedQueue<std::function<void()>> queue_;
};

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_COMPUTE_QUEUE_H_
