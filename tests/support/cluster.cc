#include "tests/support/cluster.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/atomic_file.h"
#include "base/ids.h"
#include "base/roots.h"
#include "base/status.h"
#include "rpc/call.h"
#include "rpc/channel.h"

namespace trainyard::testing {
namespace {

namespace fs = std::filesystem;
constexpr absl::Duration kStart = absl::Seconds(30);
constexpr size_t kTailBytes = 3000;

rpc::CallOptions Patient() {
  return {.timeout = kStart,
          .try_timeout = absl::Seconds(10),
          .retries = 1000,
          .longest_backoff = absl::Milliseconds(500)};
}

std::string Tail(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return "";
  return text->substr(text->size() - std::min(text->size(), kTailBytes));
}

}  // namespace

bool IsTerminal(v1::JobState state) {
  return state == v1::SUCCEEDED || state == v1::FAILED || state == v1::CANCELLED;
}

v1::JobSpec FakeJob(const std::string& name, int steps, absl::Duration step_time, int ranks) {
  v1::JobSpec spec;
  spec.set_name(name);
  spec.mutable_fake()->set_steps(steps);
  spec.mutable_fake()->set_step_seconds(absl::ToDoubleSeconds(step_time));
  spec.mutable_fake()->set_checkpoint_bytes(1000);
  v1::RoleSpec* role = spec.add_roles();
  role->set_name("trainer");
  role->set_count(ranks);
  role->mutable_resources()->set_cpu_milli(500);
  role->mutable_resources()->set_memory_bytes(64 << 20);
  return spec;
}

Cluster::Cluster(const ClusterOptions& options)
    : options_(options),
      runs_dir_(options.runs_dir.empty() ? dir_.File("runs") : options.runs_dir),
      state_dir_(options.state_dir.empty() ? dir_.File("state") : options.state_dir),
      address_(absl::StrCat("127.0.0.1:", FreePort())),
      jobs_(v1::JobService::NewStub(rpc::OpenChannel(address_))),
      nodes_(v1::ClusterService::NewStub(rpc::OpenChannel(address_))),
      agents_(options.agents) {}

absl::StatusOr<std::unique_ptr<Cluster>> Cluster::Start(const ClusterOptions& options) {
  auto cluster = std::unique_ptr<Cluster>(new Cluster(options));
  TY_RETURN_IF_ERROR(cluster->WriteFiles());
  TY_RETURN_IF_ERROR(cluster->StartCoordinator());
  for (int i = 0; i < options.agents; ++i) TY_RETURN_IF_ERROR(cluster->StartAgent(i));
  TY_RETURN_IF_ERROR(cluster->WaitForNodes(options.agents, kStart));
  return cluster;
}

absl::Status Cluster::WriteFiles() {
  for (const std::string& root : {dir_.File("data"), runs_dir_}) {
    TY_RETURN_IF_ERROR(MakeDirectories(root));
    TY_RETURN_IF_ERROR(
        WriteFileAtomically(absl::StrCat(root, "/", kClusterIdFile), "test-cluster"));
  }
  TY_RETURN_IF_ERROR(MakeDirectories(state_dir_));
  for (int i = 0; i < options_.agents; ++i) {
    const bool elsewhere = i == 0 && !options_.work_dir.empty();
    const std::string work_dir =
        elsewhere ? options_.work_dir : dir_.File(absl::StrCat("work-", i));
    const std::string yaml = absl::StrCat(
        "node: node-", i, "\ncoordinator: ", address_, "\nwork_dir: ", work_dir,
        "\nroots: {data: ", dir_.File("data"), ", runs: ", runs_dir_, "}\ncpu_milli: ",
        options_.cpu_milli, "\nmemory_bytes: ", options_.memory_bytes,
        "\ngpus: false\ndrain_seconds: ", options_.drain_seconds, "\n");
    TY_RETURN_IF_ERROR(
        WriteFileAtomically(dir_.File(absl::StrCat("agent-", i, ".yaml")), yaml));
  }
  return absl::OkStatus();
}

absl::Status Cluster::StartCoordinator() {
  coordinator_.reset();
  TY_ASSIGN_OR_RETURN(
      coordinator_,
      Process::Start(
          {.binary = "trainyard-coordinator",
           .args = {"--state-dir", state_dir_, "--listen", address_, "--http", "",
                    "--lease-seconds", absl::StrCat(options_.lease_seconds),
                    "--heartbeat-seconds", absl::StrCat(options_.heartbeat_seconds),
                    "--orphan-timeout-seconds", absl::StrCat(options_.orphan_timeout_seconds)},
           .output_file = dir_.File("coordinator.log")}));
  return Nodes().status();
}

absl::Status Cluster::StartAgent(int index) {
  agents_.at(index).reset();
  TY_ASSIGN_OR_RETURN(
      agents_.at(index),
      Process::Start({.binary = "trainyard-agent",
                      .args = {"--config", dir_.File(absl::StrCat("agent-", index, ".yaml"))},
                      .output_file = dir_.File(absl::StrCat("agent-", index, ".log"))}));
  return absl::OkStatus();
}

absl::StatusOr<v1::Job> Cluster::Submit(const v1::JobSpec& spec, const std::string& request_id) {
  v1::SubmitJobRequest request;
  request.set_request_id(request_id);
  *request.mutable_spec() = spec;
  return rpc::Call(*jobs_, &v1::JobService::Stub::SubmitJob, request, Patient());
}

absl::StatusOr<v1::Job> Cluster::Submit(const v1::JobSpec& spec) {
  return Submit(spec, RandomId("request"));
}

absl::StatusOr<v1::Job> Cluster::Get(const std::string& job) {
  v1::GetJobRequest request;
  request.set_job(job);
  return rpc::Call(*jobs_, &v1::JobService::Stub::GetJob, request, Patient());
}

absl::StatusOr<v1::ListNodesResponse> Cluster::Nodes() {
  return rpc::Call(*nodes_, &v1::ClusterService::Stub::ListNodes, v1::ListNodesRequest(),
                   Patient());
}

absl::StatusOr<v1::Job> Cluster::WaitFor(const std::string& job, absl::Duration timeout,
                                         const std::function<bool(const v1::Job&)>& wanted) {
  absl::StatusOr<v1::Job> last = absl::UnknownError("never asked");
  const bool came = WaitUntil(timeout, [&] {
    last = Get(job);
    return !last.ok() || wanted(*last);
  });
  if (came || !last.ok()) return last;
  return absl::DeadlineExceededError(absl::StrCat("job ", job, " is not as wanted after ",
                                                  absl::FormatDuration(timeout), ":\n",
                                                  last->DebugString(), Logs()));
}

absl::StatusOr<v1::Job> Cluster::WaitForState(const std::string& job, v1::JobState state,
                                              absl::Duration timeout) {
  const absl::StatusOr<v1::Job> reached = WaitFor(job, timeout, [state](const v1::Job& seen) {
    return seen.state() == state || IsTerminal(seen.state());
  });
  if (!reached.ok() || reached->state() == state) return reached;
  return absl::FailedPreconditionError(absl::StrCat("job ", job, " became ",
                                                    v1::JobState_Name(reached->state()), ":\n",
                                                    reached->DebugString(), Logs()));
}

absl::Status Cluster::WaitForNodes(int alive, absl::Duration timeout) {
  const bool came = WaitUntil(timeout, [&] {
    const absl::StatusOr<v1::ListNodesResponse> nodes = Nodes();
    if (!nodes.ok()) return false;
    const auto is_alive = [](const v1::Node& node) { return node.alive(); };
    return std::count_if(nodes->nodes().begin(), nodes->nodes().end(), is_alive) == alive;
  });
  if (came) return absl::OkStatus();
  return absl::DeadlineExceededError(absl::StrCat("not ", alive, " nodes are alive\n", Logs()));
}

absl::Status Cluster::WaitUntilIdle(absl::Duration timeout) {
  std::string last;
  const bool came = WaitUntil(timeout, [&] {
    const absl::StatusOr<v1::ListNodesResponse> nodes = Nodes();
    if (!nodes.ok()) return false;
    last = nodes->DebugString();
    const auto idle = [](const v1::Node& node) {
      return node.tasks_size() == 0 && node.cpu_milli_used() == 0;
    };
    return std::all_of(nodes->nodes().begin(), nodes->nodes().end(), idle) && TaskPids().empty();
  });
  if (came) return absl::OkStatus();
  return absl::DeadlineExceededError(absl::StrCat("the cluster is not idle; ", TaskPids().size(),
                                                  " task processes; nodes:\n", last, Logs()));
}

std::vector<pid_t> Cluster::TaskPids() const {
  std::vector<pid_t> pids;
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc")) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &pid)) continue;
    std::ifstream file(entry.path() / "cmdline");
    std::string command((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    // Every task is told its assignment below this cluster's directory.
    const bool task = absl::StrContains(command, absl::StrCat(dir_.path(), "/work-")) &&
                      absl::StrContains(command, "--assignment");
    if (task) pids.push_back(pid);
  }
  return pids;
}

std::string Cluster::Logs() const {
  std::string logs = absl::StrCat("--- coordinator:\n", Tail(dir_.File("coordinator.log")));
  for (int i = 0; i < options_.agents; ++i) {
    absl::StrAppend(&logs, "--- agent ", i, ":\n",
                    Tail(dir_.File(absl::StrCat("agent-", i, ".log"))));
  }
  return logs;
}

}  // namespace trainyard::testing
