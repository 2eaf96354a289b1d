#include "base/shutdown.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>

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
  const timespec wait = absl::ToTimespec(timeout);
  const int received = timeout == absl::InfiniteDuration()
                           ? sigwaitinfo(&set, nullptr)
                           : sigtimedwait(&set, nullptr, &wait);
  return received > 0 ? received : 0;
}

void RequestStop() { kill(getpid(), SIGTERM); }

}  // namespace trainyard
