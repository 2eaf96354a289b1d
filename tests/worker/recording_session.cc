#include "tests/worker/recording_session.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace trainyard::worker {

void RecordingSession::Ready(const std::string& endpoint, const std::string&) {
  absl::MutexLock lock(&mutex_);
  endpoint_ = endpoint;
}

std::string RecordingSession::WaitForEndpoint(absl::Duration timeout) const {
  absl::MutexLock lock(&mutex_);
  const auto told = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return !endpoint_.empty(); };
  mutex_.AwaitWithTimeout(absl::Condition(&told), timeout);
  return endpoint_;
}

void RecordingSession::Report(const task::Progress& progress) {
  {
    absl::MutexLock lock(&mutex_);
    if (phases_.empty() || phases_.back() != progress.phase) phases_.push_back(progress.phase);
  }
  if (stop_after_step_ < 0 || progress.phase != "train" || progress.step < stop_after_step_) return;
  task::StopOrder order;
  order.checkpoint = true;
  order.reason = "test";
  RequestStop(order);
}

void RecordingSession::ReportMetrics(int64_t step, const std::map<std::string, double>& values) {
  absl::MutexLock lock(&mutex_);
  for (const auto& [name, value] : values) metrics_[step][name] = value;
}

std::optional<task::StopOrder> RecordingSession::StopRequested() const {
  absl::MutexLock lock(&mutex_);
  return stop_;
}

void RecordingSession::RequestStop(const task::StopOrder& order) {
  absl::MutexLock lock(&mutex_);
  if (!stop_.has_value()) stop_ = order;
}

absl::StatusOr<task::CommitResult> RecordingSession::CommitCheckpoint(const task::CommitRequest&,
                                                                      absl::Duration) {
  return task::CommitResult{};
}

absl::Status RecordingSession::FinishJob(const std::vector<task::Artifact>& outputs,
                                         absl::Duration) {
  absl::MutexLock lock(&mutex_);
  outputs_ = outputs;
  return absl::OkStatus();
}

void RecordingSession::Abort(const EndReason& reason) {
  ADD_FAILURE() << reason.message;
  _exit(1);
}

std::vector<std::string> RecordingSession::phases() const {
  absl::MutexLock lock(&mutex_);
  return phases_;
}

std::map<int64_t, std::map<std::string, double>> RecordingSession::metrics() const {
  absl::MutexLock lock(&mutex_);
  return metrics_;
}

std::vector<task::Artifact> RecordingSession::outputs() const {
  absl::MutexLock lock(&mutex_);
  return outputs_;
}

}  // namespace trainyard::worker
