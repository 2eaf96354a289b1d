#include <memory>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "cli/verb.h"

namespace trainyard::cli {

void AddCordon(CLI::App& app, Globals* globals) {
  CLI::App* verb = AddVerb(app, globals, "cordon",
                           "No new tasks on a node (--undo: new tasks again); running ones stay",
                           "trainyard cordon node-a");
  const auto node = std::make_shared<std::string>();
  const auto undo = std::make_shared<bool>(false);
  verb->add_option("NODE", *node, "name of a node")->required();
  verb->add_flag("--undo", *undo, "take it back");
  SetBody(verb, globals, [=]() -> absl::StatusOr<int> {
    TY_ASSIGN_OR_RETURN(Client client, Connect(*globals));
    TY_ASSIGN_OR_RETURN(const v1::Node answer, client.Cordon(*node, *undo));
    Print(*globals, answer, [&] {
      return absl::StrCat("node ", answer.name(),
                          answer.cordoned() ? " gets no new tasks\n" : " takes new tasks\n");
    });
    return kExitOk;
  });
}

}  // namespace trainyard::cli
