#include "worker/compute_thread.h"

#include "absl/strings/str_cat.h"

namespace trainyard::worker {

ComputeThread::ComputeThread(size_t queue_capacity)
    : queue_(queue_capacity), thread_([this] { Loop(); }) {}

ComputeThread::~ComputeThread() {
  queue_.Close();
  queue_.PopAll();
  thread_.join();
}

absl::Status ComputeThread::Submit(std::function<void()> body) {
  if (queue_.TryPush(std::move(body))) return absl::OkStatus();
  if (queue_.closed()) return absl::UnavailableError("the compute thread is going away");
  return absl::ResourceExhaustedError(absl::StrCat(
      queue_.size(), " calls wait for the compute thread, which is the limit; try again later"));
}

absl::Status ComputeThread::Late(absl::Duration timeout) {
  return absl::DeadlineExceededError(
      absl::StrCat("the compute thread did not answer in ", absl::FormatDuration(timeout)));
}

void ComputeThread::Loop() {
  while (true) {
    std::optional<std::function<void()>> body = queue_.Pop(absl::InfiniteDuration());
    if (!body.has_value()) return;
    (*body)();
  }
}

}  // namespace trainyard::worker
