#include <memory>

#include "base/status.h"
#include "cli/follow.h"
#include "cli/text.h"
#include "cli/verb.h"

namespace trainyard::cli {

void AddGet(CLI::App& app, Globals* globals) {
  CLI::App* verb = AddVerb(app, globals, "get", "Show a job or a pipeline",
                           "trainyard get demo -o json | jq .state");
  const auto name = std::make_shared<std::string>();
  verb->add_option("JOB", *name, "id or name of a job or pipeline")->required();
  SetBody(verb, globals, [globals, name]() -> absl::StatusOr<int> {
    TY_ASSIGN_OR_RETURN(Client client, Connect(*globals));
    TY_ASSIGN_OR_RETURN(const Target target, client.Find(*name));
    const auto table = [&] { return JobTable(JobsOf(target), absl::Now()); };
    std::visit([&](const auto& message) { Print(*globals, message, table); }, target);
    return kExitOk;
  });
}

}  // namespace trainyard::cli
