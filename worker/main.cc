// trainyard-worker: one rank of a training job, one rank of a PPO learner, or a batch task.
//
//   trainyard-worker --assignment FILE [--log-level LEVEL]
//
// Start and shutdown in order: signals, log, session, stop on signal, watch over the grace of a
// stop, work, end reason, exit code.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/end_class.h"
#include "base/log.h"
#include "base/periodic.h"
#include "base/shutdown.h"
#include "task/assignment.h"
#include "task/session.h"
#include "worker/run_worker.h"

namespace trainyard::worker {
namespace {

constexpr absl::Duration kEndTimeout = absl::Seconds(10);

// Ends the process when a stop was ordered and its grace ran out.
class GraceWatch {
 public:
  explicit GraceWatch(task::TaskSession* session)
      : session_(session), periodic_(absl::Milliseconds(200), [this] { Look(); }) {}

 private:
  void Look() {
    const std::optional<task::StopOrder> order = session_->StopRequested();
    if (!order.has_value()) return;
    const absl::Duration now = Clock::Real().Monotonic();
    if (!ordered_at_.has_value()) ordered_at_ = now;
    if (now - *ordered_at_ < order->grace) return;
    EndReason reason;
    reason.end_class = EndClass::kDeadline;
    reason.message = absl::StrCat("stop (", order->reason, ") was not done within its grace of ",
                                  absl::FormatDuration(order->grace));
    session_->Abort(reason);
  }

  task::TaskSession* const session_;
  std::optional<absl::Duration> ordered_at_;  // of the periodic thread
  Periodic periodic_;
};

int Main(const std::string& assignment_path, const std::string& log_level) {
  const absl::StatusOr<task::Assignment> assignment = task::LoadAssignment(assignment_path);
  ConfigureLog(assignment.ok() ? assignment->TaskName() : "worker", log_level);
  if (!assignment.ok()) {
    Log().error("{}", assignment.status().ToString());
    return ExitCodeOf(EndClassOf(assignment.status()));
  }
  const std::unique_ptr<task::TaskSession> session =
      assignment->coordinator.empty() ? task::StandAlone() : task::Connect(*assignment);
  task::StopOnSignal stop_on_signal(session.get());
  GraceWatch grace_watch(session.get());
  const EndReason reason = RunWorker(*assignment, session.get());
  if (reason.end_class != EndClass::kSucceeded) {
    Log().error("{}: {} (step {}, {})", std::string(EndClassName(reason.end_class)), reason.message,
                reason.step, reason.phase);
  }
  const absl::Status told = session->End(reason, kEndTimeout);
  if (!told.ok()) Log().warn("the end reason may not have been heard: {}", told.ToString());
  return ExitCodeOf(reason.end_class);
}

}  // namespace
}  // namespace trainyard::worker

int main(int argc, char** argv) {
  trainyard::BlockStopSignals();
  CLI::App app("One rank of a training job, of a PPO learner, or a batch task.");
  std::string assignment;
  std::string log_level = "info";
  app.add_option("--assignment", assignment, "File that the agent wrote (TaskAssignment)")
      ->required();
  app.add_option("--log-level", log_level, "trace, debug, info, warn or error");
  CLI11_PARSE(app, argc, argv);
  return trainyard::worker::Main(assignment, log_level);
}
