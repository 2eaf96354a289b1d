#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "cli/text.h"
#include "cli/verb.h"

namespace trainyard::cli {
namespace {

std::string NodeTable(const v1::ListNodesResponse& response) {
  if (response.nodes().empty()) {
    return "no nodes; start an agent: trainyard-agent --config FILE, or trainyard up\n";
  }
  std::vector<std::vector<std::string>> rows = {
      {"NODE", "STATE", "HOST", "CPU", "MEMORY", "GPUS", "TASKS", "HEARD", "ROOTS"}};
  for (const v1::Node& node : response.nodes()) {
    const std::string state =
        absl::StrCat(node.alive() ? "alive" : "lost", node.cordoned() ? ", cordoned" : "");
    rows.push_back(
        {node.name(), state, node.host(),
         absl::StrFormat("%.1f/%.1f", node.cpu_milli_used() / 1000.0, node.cpu_milli() / 1000.0),
         absl::StrCat(ShortBytes(node.memory_bytes_used()), "/", ShortBytes(node.memory_bytes())),
         absl::StrCat(node.gpus_size()), absl::StrCat(node.tasks_size()),
         absl::StrFormat("%.1fs ago", node.seconds_since_heartbeat()),
         absl::StrJoin(node.roots(), ",")});
  }
  return Table(rows);
}

}  // namespace

void AddNodes(CLI::App& app, Globals* globals) {
  CLI::App* verb =
      AddVerb(app, globals, "nodes", "List the machines of the cluster", "trainyard nodes");
  SetBody(verb, globals, [globals]() -> absl::StatusOr<int> {
    TY_ASSIGN_OR_RETURN(Client client, Connect(*globals));
    TY_ASSIGN_OR_RETURN(const auto response, client.ListNodes());
    Print(*globals, response, [&] { return NodeTable(response); });
    return kExitOk;
  });
}

}  // namespace trainyard::cli
