// The session of a task that runs by itself.

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/log.h"
#include "task/board.h"
#include "task/exit.h"
#include "task/session.h"

namespace trainyard::task {
namespace {

class StandAloneSession final : public TaskSession {
 public:
  void Ready(const std::string& endpoint, const std::string& numerics_id) override {
    Log().info("ready at {} ({})", endpoint.empty() ? "no endpoint" : endpoint, numerics_id);
  }
  void Report(const Progress& progress) override {
    Log().info("{} step {}/{} {:.0f} tokens/s {} {:.4f}", progress.phase, progress.step,
               progress.total_steps, progress.tokens_per_second, progress.headline_name,
               progress.headline);
  }
  void ReportMetrics(int64_t step, const std::map<std::string, double>& values) override {
    std::vector<std::string> parts;
    for (const auto& [name, value] : values) parts.push_back(absl::StrCat(name, " ", value));
    Log().info("step {}: {}", step, absl::StrJoin(parts, " "));
  }
  PeerSnapshot Peers() const override { return board_.peers(); }
  absl::StatusOr<PeerSnapshot> WaitForPeers(
      const std::function<bool(const PeerSnapshot&)>& predicate, absl::Duration timeout) override {
    return board_.WaitForPeers(predicate, timeout);
  }
  void OnPeersChanged(std::function<void(const PeerSnapshot&)> callback) override {
    if (callback) callback(board_.peers());
  }
  std::optional<StopOrder> StopRequested() const override { return board_.stop(); }
  std::optional<StopOrder> WaitForStop(absl::Duration timeout) override {
    return board_.WaitForStop(timeout);
  }
  void RequestStop(const StopOrder& order) override { board_.SetStop(order); }
  absl::StatusOr<CommitResult> CommitCheckpoint(const CommitRequest& request,
                                                absl::Duration) override {
    Log().info("checkpoint of step {} at {}", request.step, request.uri);
    return CommitResult{};
  }
  absl::Status FinishJob(const std::vector<Artifact>& outputs, absl::Duration) override {
    for (const Artifact& output : outputs) Log().info("output {} at {}", output.name, output.uri);
    return absl::OkStatus();
  }
  absl::Status End(const EndReason& reason, absl::Duration) override {
    LogEnd(reason);
    return absl::OkStatus();
  }
  [[noreturn]] void Abort(const EndReason& reason) override { ExitNow(reason); }

 private:
  Board board_;
};

}  // namespace

std::unique_ptr<TaskSession> StandAlone() { return std::make_unique<StandAloneSession>(); }

}  // namespace trainyard::task
