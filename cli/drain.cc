#include <memory>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "cli/verb.h"

namespace trainyard::cli {

void AddDrain(CLI::App& app, Globals* globals) {
  CLI::App* verb = AddVerb(app, globals, "drain",
                           "Empty a node: no new tasks, running ones stop after a checkpoint",
                           "trainyard drain node-a --deadline 300");
  const auto node = std::make_shared<std::string>();
  const auto deadline_seconds = std::make_shared<double>(300);
  verb->add_option("NODE", *node, "name of a node")->required();
  verb->add_option("--deadline", *deadline_seconds, "seconds until they are killed")
      ->capture_default_str();
  SetBody(verb, globals, [=]() -> absl::StatusOr<int> {
    TY_ASSIGN_OR_RETURN(Client client, Connect(*globals));
    TY_ASSIGN_OR_RETURN(const v1::Node answer,
                        client.Drain(*node, absl::Seconds(*deadline_seconds)));
    Print(*globals, answer, [&] {
      return absl::StrCat("node ", answer.name(), " drains; trainyard nodes shows when it is ",
                          "empty, trainyard cordon ", answer.name(), " --undo takes it back\n");
    });
    return kExitOk;
  });
}

}  // namespace trainyard::cli
