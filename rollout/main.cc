// trainyard-rollout: a generation server.
//
//   trainyard-rollout --assignment FILE                    as a task of a job
//   trainyard-rollout --model DIR --listen HOST:PORT       by itself
//
// Start and shutdown in order are task::RunTask's.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <optional>
#include <string>

#include "base/log.h"
#include "base/progress.h"
#include "base/shutdown.h"
#include "base/status.h"
#include "rollout/rollout_server.h"
#include "rollout/rollout_spec.h"
#include "task/assignment.h"
#include "task/run_task.h"
#include "task/session.h"

namespace trainyard::rollout {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(10);
constexpr absl::Duration kStopCheck = absl::Seconds(3600);

struct Flags {
  std::string assignment;
  std::string model;
  std::string tokenizer;
  std::string listen = "127.0.0.1:7080";
  std::string log_level = "info";
  int threads = 1;
  int64_t cache_mib = 1024;
  std::string dtype = "fp32";
};

absl::StatusOr<RolloutServerOptions> TaskOptions(const task::Assignment& assignment,
                                                 const Flags& flags) {
  TY_ASSIGN_OR_RETURN(const RolloutJob job, ParseRolloutJob(assignment));
  RolloutServerOptions options;
  options.model_directory = job.model_directory;
  options.tokenizer_directory = job.tokenizer_directory;
  options.bf16 = job.bf16;
  options.listen = assignment.ListenAddress();
  options.advertise = assignment.advertise;
  options.fence = assignment.Fence();
  options.threads = std::max(1, assignment.threads);
  options.cache_bytes = flags.cache_mib << 20;
  return options;
}

RolloutServerOptions StandAloneOptions(const Flags& flags) {
  RolloutServerOptions options;
  options.model_directory = flags.model;
  options.tokenizer_directory = flags.tokenizer.empty() ? flags.model : flags.tokenizer;
  options.listen = flags.listen;
  options.threads = flags.threads;
  options.bf16 = flags.dtype == "bf16";
  options.cache_bytes = flags.cache_mib << 20;
  return options;
}

// Serves until a stop is ordered. OK when it ended as ordered.
absl::Status Serve(const Flags& flags, const task::Assignment& assignment,
                   task::TaskSession* session, Place* place) {
  place->phase = "load";
  session->Report({.phase = place->phase});
  RolloutServerOptions options = StandAloneOptions(flags);
  if (!flags.assignment.empty()) {
    TY_ASSIGN_OR_RETURN(options, TaskOptions(assignment, flags));
  }
  TY_ASSIGN_OR_RETURN(const auto server, RolloutServer::Start(options));
  Log().info("serving {} at {} ({})", options.model_directory, server->endpoint(),
             server->numerics_id());
  session->Ready(server->endpoint(), server->numerics_id());
  place->phase = "generate";
  session->Report({.phase = place->phase});
  std::optional<task::StopOrder> order;
  while (!order.has_value()) order = session->WaitForStop(kStopCheck);
  Log().info("stopping: {}", order->reason);
  server->Stop(std::min(order->grace / 2, kPatience));
  return absl::OkStatus();
}

int Main(const Flags& flags) {
  return task::RunTask(
      {.assignment_path = flags.assignment, .log_level = flags.log_level, .name = "rollout"},
      [&](const task::Assignment& assignment, task::TaskSession* session, Place* place) {
        return Serve(flags, assignment, session, place);
      });
}

}  // namespace
}  // namespace trainyard::rollout

int main(int argc, char** argv) {
  trainyard::BlockStopSignals();
  trainyard::rollout::Flags flags;
  CLI::App app("Generates answers from a model, over gRPC (RolloutService).");
  auto* assignment = app.add_option("--assignment", flags.assignment,
                                    "File that the agent wrote (TaskAssignment)");
  app.add_option("--model", flags.model, "Model directory, to serve by itself")
      ->excludes(assignment);
  app.add_option("--tokenizer", flags.tokenizer, "Tokenizer directory; default the model's");
  app.add_option("--listen", flags.listen, "Address to serve at by itself");
  app.add_option("--threads", flags.threads, "Compute threads by itself")
      ->check(CLI::Range(1, 256));
  app.add_option("--dtype", flags.dtype, "Type of the products by itself: fp32 or bf16")
      ->check(CLI::IsMember({"fp32", "bf16"}));
  app.add_option("--cache-mib", flags.cache_mib, "Memory for keys and values, MiB")
      ->check(CLI::Range(1, 1 << 24));
  app.add_option("--log-level", flags.log_level, "trace, debug, info, warn or error");
  CLI11_PARSE(app, argc, argv);
  if (flags.assignment.empty() && flags.model.empty()) {
    std::cerr << "give --assignment FILE or --model DIR\n";
    return 2;
  }
  return trainyard::rollout::Main(flags);
}
