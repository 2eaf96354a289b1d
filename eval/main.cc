// trainyard-eval: drives an eval or generate job. It computes no number of a model itself: rollout
// and reward tasks do.
//
//   trainyard-eval --assignment FILE [--log-level LEVEL]
//
// Start and shutdown in order: signals, log, session, stop on signal, stop watch, work, end reason,
// exit code. A stop needs no patience: every row that counts is on disk already.

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "base/end_class.h"
#include "base/log.h"
#include "base/periodic.h"
#include "base/shutdown.h"
#include "eval/eval_run.h"
#include "eval/eval_spec.h"
#include "eval/generate_run.h"
#include "task/assignment.h"
#include "task/exit.h"
#include "task/session.h"

namespace trainyard::eval {
namespace {

constexpr absl::Duration kEndTimeout = absl::Seconds(10);

// Ends the process when a stop was ordered.
class StopWatch {
 public:
  explicit StopWatch(task::TaskSession* session)
      : session_(session), periodic_(absl::Milliseconds(100), [this] { Look(); }) {}

 private:
  void Look() {
    const std::optional<task::StopOrder> order = session_->StopRequested();
    if (!order.has_value()) return;
    EndReason reason;
    reason.end_class = EndClass::kDrained;
    reason.message = order->reason;
    const absl::Status told = session_->End(reason, kEndTimeout);
    if (!told.ok()) Log().warn("the end reason may not have been heard: {}", told.ToString());
    task::ExitNow(reason);
  }

  task::TaskSession* const session_;
  Periodic periodic_;
};

absl::Status Work(const task::Assignment& assignment, task::TaskSession* session) {
  const auto job = ParseJob(assignment);
  if (!job.ok()) return job.status();
  session->Ready("", "");
  if (const auto* generate = std::get_if<GenerateJob>(&*job)) {
    return RunGenerate(*generate, assignment, session);
  }
  return RunEval(std::get<EvalJob>(*job), assignment, session);
}

int Main(const std::string& assignment_path, const std::string& log_level) {
  const absl::StatusOr<task::Assignment> assignment = task::LoadAssignment(assignment_path);
  ConfigureLog(assignment.ok() ? assignment->TaskName() : "eval", log_level);
  if (!assignment.ok()) {
    Log().error("{}", assignment.status().ToString());
    return ExitCodeOf(EndClassOf(assignment.status()));
  }
  const std::unique_ptr<task::TaskSession> session =
      assignment->coordinator.empty() ? task::StandAlone() : task::Connect(*assignment);
  task::StopOnSignal stop_on_signal(session.get());
  StopWatch stop_watch(session.get());
  const absl::Status status = Work(*assignment, session.get());
  EndReason reason;
  reason.end_class = status.ok() ? EndClass::kSucceeded : EndClassOf(status);
  reason.message = std::string(status.message());
  if (!status.ok()) task::LogEnd(reason);
  const absl::Status told = session->End(reason, kEndTimeout);
  if (!told.ok()) Log().warn("the end reason may not have been heard: {}", told.ToString());
  return ExitCodeOf(reason.end_class);
}

}  // namespace
}  // namespace trainyard::eval

int main(int argc, char** argv) {
  trainyard::BlockStopSignals();
  CLI::App app("Drives an eval or generate job.");
  std::string assignment;
  std::string log_level = "info";
  app.add_option("--assignment", assignment, "File that the agent wrote (TaskAssignment)")
      ->required();
  app.add_option("--log-level", log_level, "trace, debug, info, warn or error");
  CLI11_PARSE(app, argc, argv);
  return trainyard::eval::Main(assignment, log_level);
}
