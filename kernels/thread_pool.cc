#include "kernels/thread_pool.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>

#include "base/status.h"

namespace trainyard::kernels {
namespace {

constexpr int kItemBits = 20;
constexpr uint64_t kItemMask = (uint64_t{1} << kItemBits) - 1;
constexpr int kSpins = 2000;

uint64_t NextItem(uint64_t claim) { return claim & kItemMask; }
uint64_t ItemCount(uint64_t claim) { return claim >> kItemBits & kItemMask; }
uint64_t Region(uint64_t claim) { return claim >> (2 * kItemBits); }

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  TY_CHECK(threads >= 1);
  for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { WorkerLoop(i); });
}

ThreadPool::~ThreadPool() {
  stopping_.store(true);
  claim_.store((Region(claim_.load()) + 1) << (2 * kItemBits));
  WakeSleepers();
  for (std::thread& worker : workers_) worker.join();
}

bool ThreadPool::ClaimAndRun(int thread) {
  const uint64_t seen = claim_.load(std::memory_order_acquire);
  if (NextItem(seen) >= ItemCount(seen)) return false;
  const uint64_t claim = claim_.fetch_add(1, std::memory_order_acq_rel);
  if (NextItem(claim) >= ItemCount(claim)) return false;
  call_(context_, static_cast<int>(NextItem(claim)), thread);
  done_.fetch_add(1, std::memory_order_release);
  return true;
}

void ThreadPool::Run(int count, Call call, const void* context) {
  TY_CHECK(count < static_cast<int>(kItemMask) / 2);
  call_ = call;
  context_ = context;
  done_.store(0, std::memory_order_relaxed);
  const uint64_t region = Region(claim_.load(std::memory_order_relaxed)) + 1;
  claim_.store(region << (2 * kItemBits) | static_cast<uint64_t>(count) << kItemBits,
               std::memory_order_seq_cst);
  WakeSleepers();
  while (ClaimAndRun(0)) {
  }
  // A worker that was descheduled holds the last item: give it the core instead of spinning on.
  for (int spins = 0; done_.load(std::memory_order_acquire) < count; ++spins) {
    if (spins < kSpins) {
      Pause();
    } else {
      std::this_thread::yield();
    }
  }
}

void ThreadPool::SleepUnlessChanged(uint64_t claim) {
  const uint32_t wakeups = wakeups_.load(std::memory_order_seq_cst);
  sleepers_.fetch_add(1, std::memory_order_seq_cst);
  // Either this sees the new claim (or the stop), or the thread that made it sees a sleeper.
  if (claim_.load(std::memory_order_seq_cst) == claim && !stopping_.load()) {
    syscall(SYS_futex, reinterpret_cast<uint32_t*>(&wakeups_), FUTEX_WAIT_PRIVATE, wakeups, nullptr,
            nullptr, 0);
  }
  sleepers_.fetch_sub(1, std::memory_order_seq_cst);
}

void ThreadPool::WakeSleepers() {
  if (sleepers_.load(std::memory_order_seq_cst) == 0) return;
  wakeups_.fetch_add(1, std::memory_order_seq_cst);
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(&wakeups_), FUTEX_WAKE_PRIVATE, INT_MAX, nullptr,
          nullptr, 0);
}

void ThreadPool::WorkerLoop(int thread) {
  while (!stopping_.load(std::memory_order_acquire)) {
    while (ClaimAndRun(thread)) {
    }
    const uint64_t idle = claim_.load(std::memory_order_acquire);
    bool woken = NextItem(idle) < ItemCount(idle);
    for (int spins = 0; spins < kSpins && !woken; ++spins) {
      Pause();
      woken = claim_.load(std::memory_order_acquire) != idle;
    }
    if (!woken) SleepUnlessChanged(idle);
  }
}

}  // namespace trainyard::kernels
