#include "task/grace_watch.h"

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/log.h"
#include "task/exit.h"

namespace trainyard::task {
namespace {

constexpr absl::Duration kLook = absl::Milliseconds(100);
constexpr absl::Duration kEndTimeout = absl::Seconds(10);

}  // namespace

GraceWatch::GraceWatch(TaskSession* session, WhenStopped when_stopped)
    : session_(session), when_stopped_(when_stopped), periodic_(kLook, [this] { Look(); }) {}

void GraceWatch::Look() {
  const std::optional<StopOrder> order = session_->StopRequested();
  if (!order.has_value()) return;
  if (when_stopped_ == WhenStopped::kEndAtOnce) {
    const EndReason reason = {.end_class = EndClass::kDrained, .message = order->reason};
    const absl::Status told = session_->End(reason, kEndTimeout);
    if (!told.ok()) Log().warn("the end reason may not have been heard: {}", told.ToString());
    ExitNow(reason);
  }
  const absl::Duration now = Clock::Real().Monotonic();
  if (!ordered_at_.has_value()) ordered_at_ = now;
  if (now - *ordered_at_ < order->grace) return;
  session_->Abort({.end_class = EndClass::kDeadline,
                   .message = absl::StrCat("stop (", order->reason,
                                           ") was not done within its grace of ",
                                           absl::FormatDuration(order->grace))});
}

}  // namespace trainyard::task
