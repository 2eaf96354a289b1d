#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/shutdown.h"
#include "task/exit.h"
#include "task/session.h"

namespace trainyard::task {
namespace {

// How soon the thread sees that its owner is gone.
constexpr absl::Duration kLook = absl::Milliseconds(100);

}  // namespace

struct StopOnSignal::State {
  std::atomic<bool> done = false;
  std::thread thread;
};

StopOnSignal::StopOnSignal(TaskSession* session) : state_(std::make_unique<State>()) {
  state_->thread = std::thread([state = state_.get(), session] {
    bool asked = false;
    while (!state->done) {
      const int signal = WaitForStopSignal(kLook);
      if (signal == 0) continue;
      const std::string reason = absl::StrCat("signal ", signal);
      if (asked) ExitNow({.end_class = EndClass::kDrained, .message = "a second " + reason});
      asked = true;
      Log().info("{}: stopping", reason);
      session->RequestStop({.checkpoint = true, .reason = reason});
    }
  });
}

StopOnSignal::~StopOnSignal() {
  state_->done = true;
  state_->thread.join();
}

}  // namespace trainyard::task
