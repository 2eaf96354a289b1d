#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/status.h"
#include "cli/contexts.h"
#include "cli/text.h"
#include "cli/verb.h"

namespace trainyard::cli {
namespace {

struct ContextOptions {
  std::string use;
  std::string set;
  std::string remove;
};

absl::Status Change(const ContextOptions& options, const Globals& globals, Contexts* contexts) {
  if (!options.set.empty()) {
    if (globals.coordinator.empty()) {
      return absl::InvalidArgumentError("--set NAME needs --coordinator HOST:PORT");
    }
    contexts->coordinators[options.set] = globals.coordinator;
    if (contexts->current.empty()) contexts->current = options.set;
  }
  if (!options.remove.empty() && contexts->coordinators.erase(options.remove) == 0) {
    return absl::NotFoundError(absl::StrCat("there is no context \"", options.remove, "\""));
  }
  if (options.remove == contexts->current) contexts->current.clear();
  if (!options.use.empty()) {
    TY_RETURN_IF_ERROR(ChooseCoordinator("", options.use, *contexts).status());
    contexts->current = options.use;
  }
  return absl::OkStatus();
}

}  // namespace

void AddContext(CLI::App& app, Globals* globals) {
  CLI::App* verb = AddVerb(app, globals, "context", "Named coordinators: show, set, use, remove",
                           "trainyard context --set lab --coordinator 10.0.0.1:7433 --use lab");
  const auto options = std::make_shared<ContextOptions>();
  verb->add_option("--set", options->set, "give the address of --coordinator this name");
  verb->add_option("--use", options->use, "make this one the default");
  verb->add_option("--remove", options->remove, "forget this one");
  SetBody(verb, globals, [globals, options]() -> absl::StatusOr<int> {
    const std::string path = ContextsPath();
    TY_ASSIGN_OR_RETURN(Contexts contexts, ReadContexts(path));
    TY_RETURN_IF_ERROR(Change(*options, *globals, &contexts));
    if (!options->set.empty() || !options->use.empty() || !options->remove.empty()) {
      TY_RETURN_IF_ERROR(WriteContexts(contexts, path));
    }
    if (globals->output == "json") {
      const Json json = {{"current", contexts.current}, {"contexts", contexts.coordinators}};
      std::cout << json.dump(2) << "\n";
      return kExitOk;
    }
    std::vector<std::vector<std::string>> rows = {{"", "CONTEXT", "COORDINATOR"}};
    for (const auto& [name, address] : contexts.coordinators) {
      rows.push_back({name == contexts.current ? "*" : "", name, address});
    }
    std::cout << Table(rows);
    return kExitOk;
  });
}

}  // namespace trainyard::cli
