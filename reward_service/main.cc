// trainyard-reward: a server of scores.
//
//   trainyard-reward --assignment FILE                          as a task of a job
//   trainyard-reward --reward FILE.json --listen HOST:PORT      by itself
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
#include "reward_service/reward_server.h"
#include "reward_service/reward_spec.h"
#include "task/assignment.h"
#include "task/run_task.h"
#include "task/session.h"

namespace trainyard::reward_service {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(5);
constexpr absl::Duration kStopCheck = absl::Seconds(3600);

struct Flags {
  std::string assignment;
  std::string reward;
  std::string tokenizer;
  std::string listen = "127.0.0.1:7090";
  std::string log_level = "info";
  int threads = 1;
};

absl::StatusOr<RewardServerOptions> TaskOptions(const task::Assignment& assignment) {
  RewardServerOptions options;
  TY_ASSIGN_OR_RETURN(options.job, ParseRewardJob(assignment));
  options.listen = assignment.ListenAddress();
  options.advertise = assignment.advertise;
  options.fence = assignment.Fence();
  options.threads = std::max(1, assignment.threads);
  return options;
}

absl::StatusOr<RewardServerOptions> StandAloneOptions(const Flags& flags) {
  RewardServerOptions options;
  TY_ASSIGN_OR_RETURN(options.job, ReadRewardFile(flags.reward, flags.tokenizer));
  options.listen = flags.listen;
  options.threads = flags.threads;
  return options;
}

// Serves until a stop is ordered. OK when it ended as ordered.
absl::Status Serve(const Flags& flags, const task::Assignment& assignment,
                   task::TaskSession* session, Place* place) {
  place->phase = "load";
  session->Report({.phase = place->phase});
  auto options = flags.assignment.empty() ? StandAloneOptions(flags) : TaskOptions(assignment);
  TY_RETURN_IF_ERROR(options.status());
  TY_ASSIGN_OR_RETURN(const auto server, RewardServer::Start(*std::move(options)));
  Log().info("serving rewards at {} ({})", server->endpoint(), server->numerics_id());
  session->Ready(server->endpoint(), server->numerics_id());
  place->phase = "score";
  session->Report({.phase = place->phase});
  std::optional<task::StopOrder> order;
  while (!order.has_value()) order = session->WaitForStop(kStopCheck);
  Log().info("stopping: {}", order->reason);
  server->Stop(std::min(order->grace / 2, kPatience));
  return absl::OkStatus();
}

int Main(const Flags& flags) {
  return task::RunTask(
      {.assignment_path = flags.assignment, .log_level = flags.log_level, .name = "reward"},
      [&](const task::Assignment& assignment, task::TaskSession* session, Place* place) {
        return Serve(flags, assignment, session, place);
      });
}

}  // namespace
}  // namespace trainyard::reward_service

int main(int argc, char** argv) {
  trainyard::BlockStopSignals();
  trainyard::reward_service::Flags flags;
  CLI::App app("Scores answers, over gRPC (RewardService).");
  auto* assignment = app.add_option("--assignment", flags.assignment,
                                    "File that the agent wrote (TaskAssignment)");
  app.add_option("--reward", flags.reward, "RewardSpec as JSON, to serve by itself")
      ->excludes(assignment);
  app.add_option("--tokenizer", flags.tokenizer, "Tokenizer directory, to check models against");
  app.add_option("--listen", flags.listen, "Address to serve at by itself");
  app.add_option("--threads", flags.threads, "Compute threads by itself")
      ->check(CLI::Range(1, 256));
  app.add_option("--log-level", flags.log_level, "trace, debug, info, warn or error");
  CLI11_PARSE(app, argc, argv);
  if (flags.assignment.empty() && flags.reward.empty()) {
    std::cerr << "give --assignment FILE or --reward FILE\n";
    return 2;
  }
  return trainyard::reward_service::Main(flags);
}
