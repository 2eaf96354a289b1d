// trainyard-worker: one rank of a training job, one rank of a PPO learner, or a batch task.
//
//   trainyard-worker --assignment FILE [--log-level LEVEL]
//   trainyard-worker perplexity --model DIRECTORY --file FILE [--window TOKENS]
//
// Start and shutdown in order: signals, log, session, stop on signal, watch over the grace of a
// stop, work, end reason, exit code.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/end_class.h"
#include "base/json.h"
#include "base/log.h"
#include "base/periodic.h"
#include "base/shutdown.h"
#include "task/assignment.h"
#include "task/session.h"
#include "worker/batch_perplexity.h"
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

// Prints one line of JSON.
int Perplexity(const PerplexityJob& job) {
  const absl::StatusOr<std::map<std::string, double>> metrics = MeasurePerplexity(job);
  if (!metrics.ok()) {
    Log().error("{}", metrics.status().ToString());
    return ExitCodeOf(EndClassOf(metrics.status()));
  }
  std::printf("%s\n", Json(*metrics).dump().c_str());
  return 0;
}

}  // namespace
}  // namespace trainyard::worker

int main(int argc, char** argv) {
  trainyard::BlockStopSignals();
  CLI::App app("One rank of a training job, of a PPO learner, or a batch task.");
  std::string assignment;
  std::string log_level = "info";
  app.add_option("--assignment", assignment, "File that the agent wrote (TaskAssignment)");
  app.add_option("--log-level", log_level, "trace, debug, info, warn or error");
  CLI::App* perplexity = app.add_subcommand(
      "perplexity", "Perplexity and bits per byte of a model on text; prints JSON");
  trainyard::worker::PerplexityJob job;
  trainyard::data::SourceSpec source;
  std::string format;
  perplexity->add_option("--model", job.model, "Directory of the model")->required();
  perplexity->add_option("--tokenizer", job.tokenizer, "Its directory (default: the model's)");
  perplexity->add_option("--file", source.paths, "Text, lines or JSONL")->required();
  perplexity->add_option("--format", format, "text, lines or jsonl (default: by the ending)");
  perplexity->add_option("--window", job.window, "Tokens of a window (default: the context)");
  CLI11_PARSE(app, argc, argv);
  if (!perplexity->parsed()) {
    if (assignment.empty()) {
      std::fprintf(stderr, "--assignment is required; --help shows what there is\n");
      return trainyard::ExitCodeOf(trainyard::EndClass::kUserError);
    }
    return trainyard::worker::Main(assignment, log_level);
  }
  trainyard::ConfigureLog("perplexity", log_level);
  const auto resolved = trainyard::data::ResolveSourceFormat(format, source.paths.front());
  if (!resolved.ok()) {
    trainyard::Log().error("{}", resolved.status().ToString());
    return trainyard::ExitCodeOf(trainyard::EndClass::kUserError);
  }
  source.name = "text";
  source.format = *resolved;
  job.sources = {source};
  return trainyard::worker::Perplexity(job);
}
