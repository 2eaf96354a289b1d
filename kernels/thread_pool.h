// A few compute threads for regions of some microseconds.

#ifndef TRAINYARD_KERNELS_THREAD_POOL_H_
#define TRAINYARD_KERNELS_THREAD_POOL_H_

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace trainyard::kernels {

// Runs the items of one region at a time on the calling thread and `threads` - 1 of its own. Which
// thread runs an item is not fixed, so an item's result must not depend on it. Owned by one thread:
// only it calls ForEach. Threads spin for some ten microseconds after a region, then sleep.
class ThreadPool {
 public:
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(item, thread) once for each item in [0, count) and returns when all have returned.
  // `thread` in [0, threads()) says whose scratch memory may be used. 0 <= count < 2^19.
  template <typename Body>
  void ForEach(int count, const Body& body) {
    if (count <= 1 || workers_.empty()) {
      for (int item = 0; item < count; ++item) body(item, 0);
      return;
    }
    const Call call = [](const void* context, int item, int thread) {
      (*static_cast<const Body*>(context))(item, thread);
    };
    Run(count, call, &body);
  }

 private:
  using Call = void (*)(const void* context, int item, int thread);

  void Run(int count, Call call, const void* context);
  void WorkerLoop(int thread);
  bool ClaimAndRun(int thread);
  void SleepUnlessChanged(uint64_t claim);
  void WakeSleepers();

  Call call_ = nullptr;
  const void* context_ = nullptr;
  // Region number, number of items and next item in one word: a late thread that claims an item of
  // a newer region runs that region's item, and can never mistake one region's count for another's.
  alignas(64) std::atomic<uint64_t> claim_{0};
  alignas(64) std::atomic<int> done_{0};
  std::atomic<bool> stopping_{false};
  // Sleeping threads wait on `wakeups_` with a futex: std::atomic::wait took 2 ms to wake where
  // this takes 5 us.
  std::atomic<int> sleepers_{0};
  std::atomic<uint32_t> wakeups_{0};
  std::vector<std::thread> workers_;
};

}  // namespace trainyard::kernels

#endif  // TRAINYARD_KERNELS_THREAD_POOL_H_
