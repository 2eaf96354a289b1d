// trainyard-ppo: the controller of a PPO job.
//
//   trainyard-ppo --assignment FILE [--log-level LEVEL]
//
// Start and shutdown in order: signals, log, session, stop on signal, the loop, end reason, exit
// code.

#include <CLI/CLI.hpp>

#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/end_class.h"
#include "base/json.h"
#include "base/log.h"
#include "base/shutdown.h"
#include "base/status.h"
#include "ppo/controller.h"
#include "ppo/learners.h"
#include "ppo/spec.h"
#include "task/assignment.h"
#include "task/session.h"

namespace trainyard::ppo {
namespace {

constexpr absl::Duration kEndTimeout = absl::Seconds(10);

// The row's own answer, for rule rewards: "answer", else "response".
std::string ReferenceOf(const data::Prompt& prompt) {
  const absl::StatusOr<Json> row = ParseJson(prompt.json, "prompt");
  if (!row.ok()) return "";
  for (const char* field : {"answer", "response"}) {
    const auto found = row->find(field);
    if (found != row->end() && found->is_string()) return found->get<std::string>();
  }
  return "";
}

DrawnPrompt Draw(const data::Prompt& prompt, int64_t row) {
  return {row, std::make_shared<const std::vector<int32_t>>(prompt.token_ids), prompt.text,
          ReferenceOf(prompt)};
}

Prompts PromptsOf(const PpoJob& job) {
  Prompts prompts;
  prompts.train = [source = job.train.get()](int64_t row) { return Draw(source->At(row), row); };
  prompts.fingerprint = job.train->fingerprint();
  if (job.validation == nullptr) return prompts;
  for (int64_t i = 0; i < job.validation->count(); ++i) {
    prompts.validation.push_back(Draw(job.validation->At(i), i));
  }
  return prompts;
}

EndReason ReasonOf(const absl::Status& status, task::TaskSession& session,
                   const Controller* controller) {
  EndReason reason;
  if (controller != nullptr) {
    reason.step = controller->iteration();
    reason.phase = controller->phase();
  }
  const std::optional<task::StopOrder> stop = session.StopRequested();
  if (status.ok()) {
    reason.end_class = EndClass::kSucceeded;
  } else if (absl::IsCancelled(status) && stop.has_value()) {
    reason.end_class = EndClass::kDrained;
    reason.message = stop->reason;
  } else {
    reason.end_class = IsNotFinite(status) ? EndClass::kNan : EndClassOf(status);
    reason.message = std::string(status.message());
  }
  return reason;
}

EndReason RunJob(const task::Assignment& assignment, task::TaskSession& session) {
  session.Ready("", "");
  session.Report({.phase = "load"});
  const absl::StatusOr<PpoJob> job = LoadPpoJob(assignment);
  if (!job.ok()) return ReasonOf(job.status(), session, nullptr);
  Log().info("{} prompts ({} dropped as too long, {} bad rows)", job->train->count(),
             job->train->dropped_too_long(), job->train->bad_rows());
  const Prompts prompts = PromptsOf(*job);
  Controller controller(job->options, {.assignment = &assignment,
                                       .session = &session,
                                       .prompts = &prompts,
                                       .tokenizer = job->tokenizer.get(),
                                       .clock = &Clock::Real()});
  return ReasonOf(controller.Run(), session, &controller);
}

int Main(const std::string& assignment_path, const std::string& log_level) {
  const absl::StatusOr<task::Assignment> assignment = task::LoadAssignment(assignment_path);
  ConfigureLog(assignment.ok() ? assignment->TaskName() : "controller", log_level);
  if (!assignment.ok()) {
    Log().error("{}", assignment.status().ToString());
    return ExitCodeOf(EndClassOf(assignment.status()));
  }
  const std::unique_ptr<task::TaskSession> session = task::Connect(*assignment);
  task::StopOnSignal stop_on_signal(session.get());
  const EndReason reason = RunJob(*assignment, *session);
  if (reason.end_class != EndClass::kSucceeded) {
    Log().error("{}: {} (iteration {}, {})", std::string(EndClassName(reason.end_class)),
                reason.message, reason.step, reason.phase);
  }
  const absl::Status told = session->End(reason, kEndTimeout);
  if (!told.ok()) Log().warn("the end reason may not have been heard: {}", told.ToString());
  return ExitCodeOf(reason.end_class);
}

}  // namespace
}  // namespace trainyard::ppo

int main(int argc, char** argv) {
  trainyard::BlockStopSignals();
  CLI::App app("The controller of a PPO job.");
  std::string assignment;
  std::string log_level = "info";
  app.add_option("--assignment", assignment, "File that the agent wrote (TaskAssignment)")
      ->required();
  app.add_option("--log-level", log_level, "trace, debug, info, warn or error");
  CLI11_PARSE(app, argc, argv);
  return trainyard::ppo::Main(assignment, log_level);
}
