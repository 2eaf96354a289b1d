#include "base/shutdown.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/clock.h"
#include "base/status.h"

namespace trainyard {
namespace {

sigset_t StopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

void BlockStopSignals() {
  const sigset_t set = StopSignals();
  TY_CHECK(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
  signal(SIGPIPE, SIG_IGN);
}

int WaitForStopSignal(absl::Duration timeout) {
  const sigset_t set = StopSignals();
  const absl::Duration end = Clock::Real().Monotonic() + timeout;
  while (true) {
    const absl::Duration left = std::max(end - Clock::Real().Monotonic(), absl::ZeroDuration());
    const timespec wait = absl::ToTimespec(left);
    const int received = timeout == absl::InfiniteDuration()
                             ? sigwaitinfo(&set, nullptr)
                             : sigtimedwait(&set, nullptr, &wait);
    if (received > 0) return received;
    // A process that was stopped and goes on (SIGCONT) is woken without a signal to take.
    if (errno != EINTR) return 0;
  }
}

void RequestStop() { kill(getpid(), SIGTERM); }

}  // namespace trainyard
