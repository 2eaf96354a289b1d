// trainyard-eval: drives an eval or generate job. It computes no number of a model itself: rollout
// and reward tasks do.
//
//   trainyard-eval --assignment FILE [--log-level LEVEL]
//
// Start and shutdown in order are task::RunTask's. A stop needs no patience: every row that counts
// is on disk already.

#include <CLI/CLI.hpp>
#include <string>
#include <variant>

#include "base/progress.h"
#include "base/shutdown.h"
#include "base/status.h"
#include "eval/eval_run.h"
#include "eval/eval_spec.h"
#include "eval/generate_run.h"
#include "eval/serve_run.h"
#include "task/assignment.h"
#include "task/run_task.h"
#include "task/session.h"

namespace trainyard::eval {
namespace {

absl::Status Work(const task::Assignment& assignment, task::TaskSession* session, Place* place) {
  *place = {0, "load"};
  TY_ASSIGN_OR_RETURN(const auto job, ParseJob(assignment));
  session->Ready("", "");
  if (const auto* generate = std::get_if<GenerateJob>(&job)) {
    *place = {0, "generate"};
    if (generate->serve_idle.has_value()) return RunServe(*generate, assignment, session);
    return RunGenerate(*generate, assignment, session);
  }
  *place = {0, "eval"};
  return RunEval(std::get<EvalJob>(job), assignment, session);
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
  return trainyard::task::RunTask({.assignment_path = assignment,
                                   .log_level = log_level,
                                   .name = "eval",
                                   .when_stopped = trainyard::task::WhenStopped::kEndAtOnce},
                                  trainyard::eval::Work);
}
