// From a learner's weights to two rollout tasks that serve them, on one host: snapshot, manifest,
// shared memory, verification, packing, swap, acknowledgement. Prints one JSON line.
//
//   TRAINYARD_BIN_DIR=build/release/bin bench_publish [ROUNDS]

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/status.h"
#include "bench/publish_model.h"
#include "rpc/call.h"
#include "rpc/channel.h"
#include "rpc/server.h"
#include "tests/support/process.h"
#include "trainyard/v1/rollout.grpc.pb.h"
#include "worker/policy_wire.h"
#include "worker/weights_service.h"

namespace trainyard {
namespace {

constexpr int kTasks = 2;
constexpr double kGoalMs = 500;

using Clock = std::chrono::steady_clock;

double MsSince(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

struct RolloutTask {
  std::unique_ptr<testing::Process> process;
  std::unique_ptr<v1::RolloutService::Stub> stub;
};

absl::StatusOr<RolloutTask> StartTask(const std::string& directory) {
  RolloutTask task;
  const std::string address = absl::StrCat("127.0.0.1:", testing::FreePort());
  TY_ASSIGN_OR_RETURN(task.process,
                      testing::Process::Start({.binary = "trainyard-rollout",
                                               .args = {"--model", directory, "--listen", address,
                                                        "--cache-mib", "256"}}));
  TY_RETURN_IF_ERROR(task.process->WaitForOutput("ready at", absl::Seconds(120)));
  task.stub = v1::RolloutService::NewStub(rpc::OpenChannel(address));
  return task;
}

struct Round {
  double snapshot_ms = 0, total_ms = 0;
  std::vector<v1::LoadWeightsResponse> answers;
};

absl::StatusOr<Round> PublishOnce(const PublishModel& model, int64_t version,
                                  const std::string& source,
                                  worker::PublishedVersions& versions,
                                  std::vector<RolloutTask>& tasks) {
  Round round;
  const auto begin = Clock::now();
  TY_ASSIGN_OR_RETURN(const auto weights, model.Publish(version));
  versions.Add(weights);
  v1::LoadWeightsRequest request;
  *request.mutable_manifest() = worker::ManifestToWire(*weights, source);
  round.snapshot_ms = MsSince(begin);
  std::vector<absl::StatusOr<v1::LoadWeightsResponse>> answers(
      tasks.size(), absl::UnknownError("not called"));
  std::vector<std::thread> threads;
  for (size_t i = 0; i < tasks.size(); ++i) {
    threads.emplace_back([&, i] {
      answers[i] = rpc::Call(*tasks[i].stub, &v1::RolloutService::Stub::LoadWeights, request,
                             {.timeout = absl::Seconds(120)});
    });
  }
  for (std::thread& thread : threads) thread.join();
  round.total_ms = MsSince(begin);
  for (auto& answer : answers) {
    TY_RETURN_IF_ERROR(answer.status());
    round.answers.push_back(*std::move(answer));
  }
  versions.Release(version);
  return round;
}

absl::Status Run(int rounds) {
  const testing::TempDir directory;
  TY_ASSIGN_OR_RETURN(const auto model, PublishModel::Create());
  TY_RETURN_IF_ERROR(model->Save(directory.path()));
  worker::PublishedVersions versions;
  worker::WeightsService service(&versions);
  TY_ASSIGN_OR_RETURN(const auto server, rpc::Server::Start({}, {&service}));
  std::vector<RolloutTask> tasks;
  for (int i = 0; i < kTasks; ++i) {
    TY_ASSIGN_OR_RETURN(RolloutTask task, StartTask(directory.path()));
    tasks.push_back(std::move(task));
  }
  std::vector<double> totals;
  Json details = Json::array();
  for (int version = 1; version <= rounds; ++version) {
    TY_ASSIGN_OR_RETURN(const Round round,
                        PublishOnce(*model, version, server->endpoint(), versions, tasks));
    totals.push_back(round.total_ms);
    Json entry = {{"snapshot_ms", round.snapshot_ms}, {"total_ms", round.total_ms}};
    for (const auto& answer : round.answers) {
      entry["tasks"].push_back({{"fetch_ms", 1e3 * answer.fetch_seconds()},
                                {"verify_ms", 1e3 * answer.verify_seconds()},
                                {"pack_and_swap_ms", 1e3 * answer.swap_seconds()}});
    }
    details.push_back(std::move(entry));
  }
  std::sort(totals.begin(), totals.end());
  const double median = totals[totals.size() / 2];
  std::cout << Json{{"bench", "publish"},    {"model", "gpt2 124M fp32"}, {"tasks", kTasks},
                    {"median_ms", median},   {"goal_ms", kGoalMs},        {"rounds", details},
                    {"ok", median <= kGoalMs}}
                   .dump()
            << std::endl;
  return median <= kGoalMs ? absl::OkStatus()
                           : absl::FailedPreconditionError("slower than the goal");
}

}  // namespace
}  // namespace trainyard

int main(int argc, char** argv) {
  const absl::Status status = trainyard::Run(argc > 1 ? std::atoi(argv[1]) : 9);
  if (!status.ok()) std::cerr << status.ToString() << "\n";
  return status.ok() ? 0 : 1;
}
