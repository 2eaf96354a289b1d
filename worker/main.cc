// trainyard-worker: one rank of a training job, one rank of a PPO learner, or a batch task.
//
//   trainyard-worker --assignment FILE [--log-level LEVEL]
//   trainyard-worker perplexity --model DIRECTORY --file FILE [--window TOKENS]
//
// Start and shutdown in order are task::RunTask's.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <string>

#include "base/end_class.h"
#include "base/json.h"
#include "base/log.h"
#include "base/shutdown.h"
#include "task/run_task.h"
#include "worker/batch_perplexity.h"
#include "worker/run_worker.h"

namespace trainyard::worker {
namespace {

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
    return trainyard::task::RunTask(
        {.assignment_path = assignment, .log_level = log_level, .name = "worker"},
        trainyard::worker::RunWorker);
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
