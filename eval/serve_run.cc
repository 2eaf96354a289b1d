#include "eval/serve_run.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "rpc/call.h"
#include "rpc/channel.h"
#include "trainyard/v1/rollout.grpc.pb.h"

namespace trainyard::eval {
namespace {

constexpr absl::Duration kFirstTask = absl::Minutes(10);
constexpr absl::Duration kLook = absl::Milliseconds(200);
constexpr absl::Duration kLookTimeout = absl::Seconds(2);
constexpr absl::Duration kFinishTimeout = absl::Minutes(10);

bool IsReady(const task::PeerSnapshot& peers) { return !peers.Ready("rollout").empty(); }

// One rollout task, as last looked at.
class Watched {
 public:
  Watched(const std::string& endpoint, const rpc::JobFence& fence)
      : stub_(v1::RolloutService::NewStub(rpc::OpenChannel(endpoint))), fence_(fence) {}

  // Whether somebody calls it now, or did since the last look. A task that does not answer is not
  // called either.
  bool IsCalled() {
    const auto load = rpc::Call(*stub_, &v1::RolloutService::Stub::GetLoad, v1::GetLoadRequest(),
                                {.timeout = kLookTimeout, .fence = fence_});
    if (!load.ok()) return false;
    const double before = std::exchange(tokens_per_second_, load->tokens_per_second());
    return load->queued_sequences() + load->running_sequences() > 0 || before != tokens_per_second_;
  }

 private:
  const std::unique_ptr<v1::RolloutService::Stub> stub_;
  const rpc::JobFence fence_;
  double tokens_per_second_ = 0;
};

}  // namespace

absl::Status RunServe(const GenerateJob& job, const task::Assignment& assignment,
                      task::TaskSession* session) {
  const absl::Duration idle_limit = *job.serve_idle;
  task::Progress progress;
  progress.phase = "waiting_rollout";
  session->Report(progress);
  TY_RETURN_IF_ERROR(session->WaitForPeers(IsReady, kFirstTask).status());
  Log().info("served until nobody has called for {}", absl::FormatDuration(idle_limit));
  progress.headline_name = "idle_seconds";
  std::map<uint64_t, Watched> watched;  // by task
  absl::Duration called_at = Clock::Real().Monotonic();
  absl::Duration idle;
  while (idle < idle_limit) {
    if (session->WaitForStop(std::min(kLook, idle_limit / 8)).has_value()) {
      return absl::CancelledError("a stop was ordered");
    }
    const std::vector<task::Peer> peers = session->Peers().Ready("rollout");
    for (const task::Peer& peer : peers) {
      Watched& task =
          watched.try_emplace(peer.task_uid, peer.endpoint, assignment.Fence()).first->second;
      if (task.IsCalled()) called_at = Clock::Real().Monotonic();
    }
    idle = Clock::Real().Monotonic() - called_at;
    progress.phase = peers.empty() ? "waiting_rollout" : "generate";
    ++progress.step;
    progress.headline = absl::ToDoubleSeconds(idle);
    session->Report(progress);
  }
  Log().info("nobody has called for {}: the job is over", absl::FormatDuration(idle));
  progress.phase = "finish";
  session->Report(progress);
  return session->FinishJob({}, kFinishTimeout);
}

}  // namespace trainyard::eval
