// The agent's config file.

#ifndef TRAINYARD_AGENT_CONFIG_H_
#define TRAINYARD_AGENT_CONFIG_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace trainyard::agent {

// YAML of the same names:
//
//   node: node-a                    # unique in the cluster; default: the host's name
//   coordinator: 10.0.0.1:7433
//   advertise: 10.0.0.2             # where peers reach this node's tasks; default 127.0.0.1
//   task_ports: 7500-7599           # tasks serve on these; default: any free one
//   work_dir: /var/lib/trainyard    # scratch and logs of running tasks
//   roots: {data: /mnt/data, runs: /mnt/runs}
//   labels: {pool: train}
//   cpu_milli: 2000                 # default: the machine's
//   memory_bytes: 8000000000        # default: the machine's
//   gpus: true                      # offer the machine's GPUs
//   collective_env: {NCCL_SOCKET_IFNAME: eth1}
//   drain_seconds: 60               # what SIGTERM leaves the tasks
struct AgentConfig {
  std::string node;
  std::string coordinator;
  std::string advertise = "127.0.0.1";
  std::string task_ports;
  std::string work_dir;
  std::map<std::string, std::string> roots;
  std::map<std::string, std::string> labels;
  // 0 = the machine's.
  int64_t cpu_milli = 0;
  int64_t memory_bytes = 0;
  bool gpus = true;
  // Only names that begin with NCCL_, GLOO_ or UCX_.
  std::map<std::string, std::string> collective_env;
  absl::Duration drain = absl::Seconds(60);
};

// InvalidArgument names the document, the line, the field and the nearest known name.
absl::StatusOr<AgentConfig> ParseAgentConfig(absl::string_view yaml, absl::string_view document);

absl::StatusOr<AgentConfig> LoadAgentConfig(const std::string& path);

}  // namespace trainyard::agent

#endif  // TRAINYARD_AGENT_CONFIG_H_
