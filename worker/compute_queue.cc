#include "worker/compute_queue.h"

#include "absl/strings/str_cat.h"

namespace trainyard::worker {

void ComputeQueue::Serve(const std::function<bool()>& done) {
  while (!done()) {
    std::optional<std::function<void()>> body = queue_.Pop(absl::Milliseconds(100));
    if (body.has_value()) (*body)();
  }
  queue_.Close();
  queue_.PopAll();
}

absl::Status ComputeQueue::Submit(std::function<void()> body) {
  if (queue_.TryPush(std::move(body))) return absl::OkStatus();
  if (queue_.closed()) return absl::UnavailableError("the process is going away");
  return absl::ResourceExhaustedError(absl::StrCat(
      queue_.size(), " calls wait for the compute thread, which is the limit; try again later"));
}

absl::Status ComputeQueue::Late(absl::Duration timeout) {
  return absl::DeadlineExceededError(
      absl::StrCat("the compute thread did not answer in ", absl::FormatDuration(timeout)));
}

}  // namespace trainyard::worker
