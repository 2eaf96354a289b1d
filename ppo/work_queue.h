// Pieces of work that any of several threads may take, and give back when they could not do them.

#ifndef TRAINYARD_PPO_WORK_QUEUE_H_
#define TRAINYARD_PPO_WORK_QUEUE_H_

#include <algorithm>
#include <cstddef>
#include <deque>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace trainyard::ppo {

// Guarded. Holds what is not taken; its bound is the work of one iteration.
template <typename T>
class WorkQueue {
 public:
  void Add(std::vector<T> items) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    items_.insert(items_.end(), std::make_move_iterator(items.begin()),
                  std::make_move_iterator(items.end()));
  }

  // Work that came back goes first: others wait for it.
  void Return(std::vector<T> items) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    items_.insert(items_.begin(), std::make_move_iterator(items.begin()),
                  std::make_move_iterator(items.end()));
  }

  // Nothing is waited for any more.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
  }

  // A fair part of what is there among `takers`, at least `least` pieces where there are so many.
  // Waits up to `timeout` for the first; empty when none came.
  std::vector<T> Take(size_t takers, size_t least, absl::Duration timeout)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout(absl::Condition(this, &WorkQueue::SomeOrClosed), timeout);
    const size_t fair = (items_.size() + takers - 1) / std::max<size_t>(takers, 1);
    const size_t count = std::min(items_.size(), std::max(fair, least));
    std::vector<T> taken(std::make_move_iterator(items_.begin()),
                         std::make_move_iterator(items_.begin() + count));
    items_.erase(items_.begin(), items_.begin() + count);
    return taken;
  }

  size_t size() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return items_.size();
  }

 private:
  bool SomeOrClosed() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return closed_ || !items_.empty();
  }

  mutable absl::Mutex mutex_;
  std::deque<T> items_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace trainyard::ppo

#endif  // TRAINYARD_PPO_WORK_QUEUE_H_
