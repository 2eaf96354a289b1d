#include <memory>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "cli/follow.h"
#include "cli/text.h"
#include "cli/verb.h"

namespace trainyard::cli {
namespace {

absl::StatusOr<Target> Retry(Client& client, const std::string& name) {
  TY_ASSIGN_OR_RETURN(const Target target, client.Find(name));
  if (const auto* job = std::get_if<v1::Job>(&target)) {
    TY_ASSIGN_OR_RETURN(v1::Job retried, client.Retry(job->id()));
    return Target(std::move(retried));
  }
  const std::string& pipeline = std::get<v1::Pipeline>(target).id();
  TY_RETURN_IF_ERROR(client.RetryPipeline(pipeline).status());
  return client.Find(pipeline);  // the answer has only the stages that are not over
}

}  // namespace

void AddRetry(CLI::App& app, Globals* globals) {
  CLI::App* verb = AddVerb(app, globals, "retry",
                           "Queue a failed or cancelled job again, from its last checkpoint; a "
                           "pipeline from its first failed stage",
                           "trainyard retry demo");
  const auto name = std::make_shared<std::string>();
  verb->add_option("JOB", *name, "id or name of a job or pipeline")->required();
  SetBody(verb, globals, [globals, name]() -> absl::StatusOr<int> {
    TY_ASSIGN_OR_RETURN(Client client, Connect(*globals));
    TY_ASSIGN_OR_RETURN(const Target target, Retry(client, *name));
    const auto table = [&] { return JobTable(JobsOf(target), absl::Now()); };
    std::visit([&](const auto& message) { Print(*globals, message, table); }, target);
    return kExitOk;
  });
}

}  // namespace trainyard::cli
