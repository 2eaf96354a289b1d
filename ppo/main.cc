// trainyard-ppo: the controller of a PPO job.
//
//   trainyard-ppo --assignment FILE [--log-level LEVEL]
//
// Start and shutdown in order are task::RunTask's.

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/shutdown.h"
#include "base/status.h"
#include "ppo/controller.h"
#include "ppo/spec.h"
#include "task/assignment.h"
#include "task/run_task.h"
#include "task/session.h"

namespace trainyard::ppo {
namespace {

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

absl::Status RunJob(const task::Assignment& assignment, task::TaskSession* session, Place* place) {
  session->Ready("", "");
  place->phase = "load";
  session->Report({.phase = place->phase});
  TY_ASSIGN_OR_RETURN(const PpoJob job, LoadPpoJob(assignment));
  Log().info("{} prompts ({} dropped as too long, {} bad rows)", job.train->count(),
             job.train->dropped_too_long(), job.train->bad_rows());
  const Prompts prompts = PromptsOf(job);
  Controller controller(job.options, {.assignment = &assignment,
                                      .session = session,
                                      .prompts = &prompts,
                                      .tokenizer = job.tokenizer.get(),
                                      .clock = &Clock::Real()});
  const absl::Status status = controller.Run();
  *place = {controller.iteration(), controller.phase()};
  return status;
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
  return trainyard::task::RunTask(
      {.assignment_path = assignment, .log_level = log_level, .name = "controller"},
      trainyard::ppo::RunJob);
}
