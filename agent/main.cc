// trainyard-agent: offers this machine to a coordinator and runs what it is told to.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "agent/config.h"
#include "agent/devices.h"
#include "agent/session.h"
#include "base/atomic_file.h"
#include "base/log.h"
#include "base/random.h"
#include "base/roots.h"
#include "base/shutdown.h"
#include "base/status.h"
#include "base/version.h"

namespace trainyard::agent {
namespace {

constexpr absl::Duration kLook = absl::Milliseconds(100);

absl::StatusOr<std::vector<RootProof>> ProveRoots(const AgentConfig& config) {
  std::vector<RootProof> proofs;
  for (const auto& [name, directory] : config.roots) {
    const absl::StatusOr<std::string> cluster_id =
        ReadFile(absl::StrCat(directory, "/", kClusterIdFile));
    if (!cluster_id.ok()) {
      return Annotate(cluster_id.status(),
                      absl::StrCat("root ", name, " can not be proved; write the cluster's id into "
                                                  "that file (trainyard up does)"));
    }
    proofs.push_back({name, std::string(absl::StripAsciiWhitespace(*cluster_id))});
  }
  return proofs;
}

absl::StatusOr<NodeOffer> MakeOffer(const AgentConfig& config) {
  NodeOffer offer;
  char host[256] = {};
  gethostname(host, sizeof(host) - 1);
  offer.node = config.node;
  offer.process_nonce = EntropyBits();
  offer.host = host;
  offer.advertise = config.advertise;
  offer.cpu_milli = config.cpu_milli > 0 ? config.cpu_milli : UsableCpuMilli();
  offer.memory_bytes = config.memory_bytes > 0 ? config.memory_bytes : UsableMemoryBytes();
  offer.labels = config.labels;
  offer.version = kVersion;
  if (config.gpus) {
    TY_ASSIGN_OR_RETURN(offer.gpus, OfferedGpus());
  }
  TY_ASSIGN_OR_RETURN(offer.roots, ProveRoots(config));
  return offer;
}

// Returns when the agent has left: first signal = drain, second = at once.
absl::Status Run(const AgentConfig& config) {
  AgentOptions options;
  options.config = config;
  options.binary_dir = std::filesystem::read_symlink("/proc/self/exe").parent_path().string();
  TY_ASSIGN_OR_RETURN(options.offer, MakeOffer(config));
  Log().info("node {} offers {} milli-cores, {} MiB, {} GPUs to {}", config.node,
             options.offer.cpu_milli, options.offer.memory_bytes >> 20, options.offer.gpus.size(),
             config.coordinator);
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<Agent> agent, Agent::Start(std::move(options)));
  bool leaving = false;
  while (!agent->AwaitDone(absl::ZeroDuration())) {
    const int signal = WaitForStopSignal(kLook);
    if (signal == 0) continue;
    if (leaving) break;
    leaving = true;
    agent->Leave(config.drain, absl::StrCat("the agent got signal ", signal));
  }
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  BlockStopSignals();
  std::string config_path;
  std::string log_level = "info";
  CLI::App app("Offers this machine to a Trainyard coordinator", "trainyard-agent");
  app.add_option("--config", config_path, "YAML file, see docs/")->required();
  app.add_option("--log-level", log_level, "trace, debug, info, warn or error");
  app.set_version_flag("--version", kVersion);
  CLI11_PARSE(app, argc, argv);
  const absl::StatusOr<AgentConfig> config = LoadAgentConfig(config_path);
  if (!config.ok()) {
    std::fprintf(stderr, "trainyard-agent: %s\n", std::string(config.status().message()).c_str());
    return 2;
  }
  ConfigureLog(absl::StrCat("agent ", config->node), log_level);
  const absl::Status status = Run(*config);
  if (!status.ok()) Log().error("{}", std::string(status.message()));
  return status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace trainyard::agent

int main(int argc, char** argv) { return trainyard::agent::Main(argc, argv); }
