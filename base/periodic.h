// A thread that calls a function every so often, until it is destroyed.

#ifndef TRAINYARD_BASE_PERIODIC_H_
#define TRAINYARD_BASE_PERIODIC_H_

#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace trainyard {

// Calls `tick` every `interval` on a thread of its own, first after one interval. A slow tick
// delays the next, never overlaps it. The destructor waits for a tick that runs.
class Periodic {
 public:
  Periodic(absl::Duration interval, std::function<void()> tick);
  ~Periodic();
  Periodic(const Periodic&) = delete;
  Periodic& operator=(const Periodic&) = delete;

 private:
  void Run();

  const absl::Duration interval_;
  const std::function<void()> tick_;
  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace trainyard

#endif  // TRAINYARD_BASE_PERIODIC_H_
