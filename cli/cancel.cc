#include <memory>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "cli/follow.h"
#include "cli/text.h"
#include "cli/verb.h"

namespace trainyard::cli {
namespace {

struct CancelOptions {
  std::string name;
  std::string reason;
};

absl::StatusOr<Target> Cancel(Client& client, const CancelOptions& options) {
  TY_ASSIGN_OR_RETURN(const Target target, client.Find(options.name));
  if (const auto* job = std::get_if<v1::Job>(&target)) {
    TY_ASSIGN_OR_RETURN(v1::Job cancelled, client.Cancel(job->id(), options.reason));
    return Target(std::move(cancelled));
  }
  const std::string& pipeline = std::get<v1::Pipeline>(target).id();
  TY_RETURN_IF_ERROR(client.CancelPipeline(pipeline, options.reason).status());
  return client.Find(pipeline);  // the answer has only the stages that are not over
}

}  // namespace

void AddCancel(CLI::App& app, Globals* globals) {
  CLI::App* verb = AddVerb(app, globals, "cancel", "Cancel a job or a pipeline",
                           "trainyard cancel demo --reason 'wrong learning rate'");
  const auto options = std::make_shared<CancelOptions>();
  verb->add_option("JOB", options->name, "id or name of a job or pipeline")->required();
  verb->add_option("--reason", options->reason, "kept with the job");
  SetBody(verb, globals, [globals, options]() -> absl::StatusOr<int> {
    TY_ASSIGN_OR_RETURN(Client client, Connect(*globals));
    TY_ASSIGN_OR_RETURN(const Target target, Cancel(client, *options));
    const auto table = [&] {
      std::string out;
      for (const v1::Job& job : JobsOf(target)) {
        absl::StrAppend(&out, job.id(), " (", job.spec().name(), ") is ", Name(job.state()),
                        IsTerminal(job.state()) ? "" : ", stopping", "\n");
      }
      return out;
    };
    std::visit([&](const auto& message) { Print(*globals, message, table); }, target);
    return kExitOk;
  });
}

}  // namespace trainyard::cli
