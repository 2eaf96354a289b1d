// A session without a coordinator, for tests of what runs under one.

#ifndef TRAINYARD_TESTS_WORKER_RECORDING_SESSION_H_
#define TRAINYARD_TESTS_WORKER_RECORDING_SESSION_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "task/session.h"

namespace trainyard::worker {

// A session that writes down what it is told, and orders a stop after a given step. Guarded.
class RecordingSession : public task::TaskSession {
 public:
  explicit RecordingSession(int64_t stop_after_step = -1) : stop_after_step_(stop_after_step) {}

  void Ready(const std::string& endpoint, const std::string&) override;
  void Report(const task::Progress& progress) override;
  void ReportMetrics(int64_t step, const std::map<std::string, double>& values) override;
  task::PeerSnapshot Peers() const override { return {}; }
  absl::StatusOr<task::PeerSnapshot> WaitForPeers(
      const std::function<bool(const task::PeerSnapshot&)>&, absl::Duration) override {
    return absl::DeadlineExceededError("no peers");
  }
  void OnPeersChanged(std::function<void(const task::PeerSnapshot&)>) override {}
  std::optional<task::StopOrder> StopRequested() const override;
  std::optional<task::StopOrder> WaitForStop(absl::Duration) override { return StopRequested(); }
  void RequestStop(const task::StopOrder& order) override;
  absl::StatusOr<task::CommitResult> CommitCheckpoint(const task::CommitRequest& request,
                                                      absl::Duration) override;
  absl::Status FinishJob(const std::vector<task::Artifact>& outputs, absl::Duration) override;
  absl::Status End(const EndReason&, absl::Duration) override { return absl::OkStatus(); }
  [[noreturn]] void Abort(const EndReason& reason) override;

  // Where it said that it serves, as Ready was told last; "" when that did not come in time.
  std::string WaitForEndpoint(absl::Duration timeout) const;
  // Phases in the order of their reports, each once for as long as it lasts.
  std::vector<std::string> phases() const;
  std::map<int64_t, std::map<std::string, double>> metrics() const;
  std::vector<task::Artifact> outputs() const;

 private:
  const int64_t stop_after_step_;
  mutable absl::Mutex mutex_;
  std::optional<task::StopOrder> stop_ ABSL_GUARDED_BY(mutex_);
  std::string endpoint_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> phases_ ABSL_GUARDED_BY(mutex_);
  std::map<int64_t, std::map<std::string, double>> metrics_ ABSL_GUARDED_BY(mutex_);
  std::vector<task::Artifact> outputs_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace trainyard::worker

#endif  // TRAINYARD_TESTS_WORKER_RECORDING_SESSION_H_
