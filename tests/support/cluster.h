// A whole cluster of real processes on this machine: a coordinator and agents, over real gRPC.

#ifndef TRAINYARD_TESTS_SUPPORT_CLUSTER_H_
#define TRAINYARD_TESTS_SUPPORT_CLUSTER_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/support/process.h"
#include "trainyard/v1/coordinator.grpc.pb.h"

namespace trainyard::testing {

struct ClusterOptions {
  // One agent each, named node-0, node-1, ...
  int agents = 1;
  int64_t cpu_milli = 4000;
  int64_t memory_bytes = int64_t{8} << 30;
  double lease_seconds = 3;
  double heartbeat_seconds = 0.2;
  double orphan_timeout_seconds = 1800;
  double drain_seconds = 20;
  // Directory of the root "runs"; empty = below the cluster's own. Root "data" is always its own.
  std::string runs_dir;
  // Of the coordinator's state, and of agent 0's running tasks; empty = below the cluster's own.
  std::string state_dir;
  std::string work_dir;
};

// One thread. Everything is killed, reaped and removed with the object. Programs keep their ports
// and directories over a restart.
class Cluster {
 public:
  static absl::StatusOr<std::unique_ptr<Cluster>> Start(const ClusterOptions& options);

  absl::Status StartCoordinator();
  absl::Status StartAgent(int index);
  Process& coordinator() { return *coordinator_; }
  Process& agent(int index) { return *agents_.at(index); }

  // host:port of the coordinator.
  const std::string& address() const { return address_; }
  // Directories of the roots, and of the state.
  std::string Dir(absl::string_view name) const { return dir_.File(name); }
  const std::string& runs_dir() const { return runs_dir_; }
  v1::JobService::Stub& jobs() { return *jobs_; }
  v1::ClusterService::Stub& nodes() { return *nodes_; }

  // All of these try again while the coordinator is away, for at most 30 s.
  absl::StatusOr<v1::Job> Submit(const v1::JobSpec& spec, const std::string& request_id);
  absl::StatusOr<v1::Job> Submit(const v1::JobSpec& spec);
  absl::StatusOr<v1::Job> Get(const std::string& job);
  absl::StatusOr<v1::ListNodesResponse> Nodes();

  // Waits until the job is as wanted; the last state seen otherwise.
  absl::StatusOr<v1::Job> WaitFor(const std::string& job, absl::Duration timeout,
                                  const std::function<bool(const v1::Job&)>& wanted);
  absl::StatusOr<v1::Job> WaitForState(const std::string& job, v1::JobState state,
                                       absl::Duration timeout);
  // Waits until so many agents are alive.
  absl::Status WaitForNodes(int alive, absl::Duration timeout);
  // Waits until no node has a task and no resource is in use.
  absl::Status WaitUntilIdle(absl::Duration timeout);

  // Pids of processes of this cluster's tasks, as the kernel sees them.
  std::vector<pid_t> TaskPids() const;

  // The ends of the logs of coordinator and agents, for failure messages.
  std::string Logs() const;

 private:
  explicit Cluster(const ClusterOptions& options);
  absl::Status WriteFiles();

  const ClusterOptions options_;
  TempDir dir_;
  std::string runs_dir_;
  const std::string state_dir_;
  std::string address_;
  std::unique_ptr<v1::JobService::Stub> jobs_;
  std::unique_ptr<v1::ClusterService::Stub> nodes_;
  std::unique_ptr<Process> coordinator_;
  std::vector<std::unique_ptr<Process>> agents_;
};

// Whether a job in this state stays in it.
bool IsTerminal(v1::JobState state);

// A job of the fake kind: `steps` steps of `step_time` on `ranks` ranks.
v1::JobSpec FakeJob(const std::string& name, int steps, absl::Duration step_time, int ranks = 1);

}  // namespace trainyard::testing

#endif  // TRAINYARD_TESTS_SUPPORT_CLUSTER_H_
