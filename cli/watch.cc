#include <memory>

#include "base/status.h"
#include "cli/follow.h"
#include "cli/verb.h"

namespace trainyard::cli {

void AddWatch(CLI::App& app, Globals* globals) {
  CLI::App* verb = AddVerb(app, globals, "watch",
                           "Watch a job or a pipeline until it is over (exit code = outcome)",
                           "trainyard watch demo");
  const auto name = std::make_shared<std::string>();
  verb->add_option("JOB", *name, "id or name of a job or pipeline")->required();
  SetBody(verb, globals, [globals, name]() -> absl::StatusOr<int> {
    TY_ASSIGN_OR_RETURN(Client client, Connect(*globals));
    return Follow(client, *name, *globals);
  });
}

}  // namespace trainyard::cli
