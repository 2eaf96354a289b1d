// The sending half of a stream, for the Service files: a bounded queue in front of gRPC's one write
// at a time.

#ifndef TRAINYARD_COORDINATOR_STREAM_QUEUE_H_
#define TRAINYARD_COORDINATOR_STREAM_QUEUE_H_

#include <grpcpp/support/status.h>

#include <deque>
#include <functional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace trainyard::coordinator {

// Guarded. Owned by the reactor of the stream, which forwards OnWriteDone; after `finish` was
// called the stream is not touched any more. `write` and `finish` only start an operation of gRPC,
// they are called with the queue's lock held so that no write can follow a finish.
template <typename Message>
class StreamQueue {
 public:
  struct Stream {
    std::function<void(const Message*)> write;
    std::function<void(const grpc::Status&)> finish;
  };

  StreamQueue(size_t capacity, Stream stream) : capacity_(capacity), stream_(std::move(stream)) {}

  // False when the queue is full or closed: the reader is too slow, or gone.
  bool Send(Message message) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (closed_ || queue_.size() >= capacity_) return false;
    queue_.push_back(std::move(message));
    if (queue_.size() == 1) stream_.write(&queue_.front());
    return true;
  }

  // Ends the stream with `status`: after what is queued, or (drop) after the write that runs. Only
  // the first call counts.
  void Close(const grpc::Status& status, bool drop) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (closed_) return;
    closed_ = true;
    status_ = status;
    if (drop && queue_.size() > 1) queue_.erase(queue_.begin() + 1, queue_.end());
    if (queue_.empty()) stream_.finish(status_);
  }

  // Of the write that ran. True when the queue is empty now and still open: room for more.
  bool OnWriteDone(bool ok) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    queue_.pop_front();
    if (!ok) {
      queue_.clear();
      if (!closed_) status_ = grpc::Status::CANCELLED;
      closed_ = true;
    }
    if (!queue_.empty()) {
      stream_.write(&queue_.front());
    } else if (closed_) {
      stream_.finish(status_);
    }
    return queue_.empty() && !closed_;
  }

  bool empty() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return queue_.empty();
  }

 private:
  const size_t capacity_;
  const Stream stream_;
  mutable absl::Mutex mutex_;
  std::deque<Message> queue_ ABSL_GUARDED_BY(mutex_);  // the front is being written
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::Status status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_STREAM_QUEUE_H_
