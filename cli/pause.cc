#include <memory>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "cli/text.h"
#include "cli/verb.h"

namespace trainyard::cli {

void AddPause(CLI::App& app, Globals* globals) {
  CLI::App* verb =
      AddVerb(app, globals, "pause", "Stop a job after a checkpoint; its slots become free",
              "trainyard pause my-job");
  const auto name = std::make_shared<std::string>();
  verb->add_option("JOB", *name, "id or name of a job")->required();
  SetBody(verb, globals, [globals, name]() -> absl::StatusOr<int> {
    TY_ASSIGN_OR_RETURN(Client client, Connect(*globals));
    TY_ASSIGN_OR_RETURN(const v1::Job job, client.Pause(*name));
    Print(*globals, job, [&] {
      return absl::StrCat(job.id(), " (", job.spec().name(), ") pauses; it is ", Name(job.state()),
                          " now\n");
    });
    return kExitOk;
  });
}

}  // namespace trainyard::cli
