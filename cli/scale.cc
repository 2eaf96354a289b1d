#include <memory>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "cli/text.h"
#include "cli/verb.h"

namespace trainyard::cli {
namespace {

absl::StatusOr<v1::ScaleJobRequest> ParseScale(const std::string& job, const std::string& change) {
  const std::pair<std::string, std::string> parts = absl::StrSplit(change, absl::MaxSplits('=', 1));
  int count = 0;
  if (parts.first.empty() || !absl::SimpleAtoi(parts.second, &count) || count < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", change, "\" must be ROLE=COUNT, for example rollout=3"));
  }
  v1::ScaleJobRequest request;
  request.set_job(job);
  request.set_role(parts.first);
  request.set_count(count);
  return request;
}

}  // namespace

void AddScale(CLI::App& app, Globals* globals) {
  CLI::App* verb = AddVerb(app, globals, "scale",
                           "Change how many tasks of an elastic role (rollout, reward) a job has",
                           "trainyard scale my-ppo rollout=3");
  const auto job = std::make_shared<std::string>();
  const auto change = std::make_shared<std::string>();
  verb->add_option("JOB", *job, "id or name of a job")->required();
  verb->add_option("ROLE=COUNT", *change, "the wanted count")->required();
  SetBody(verb, globals, [=]() -> absl::StatusOr<int> {
    TY_ASSIGN_OR_RETURN(const v1::ScaleJobRequest request, ParseScale(*job, *change));
    TY_ASSIGN_OR_RETURN(Client client, Connect(*globals));
    TY_ASSIGN_OR_RETURN(const v1::Job scaled, client.Scale(request));
    Print(*globals, scaled, [&] {
      return absl::StrCat(scaled.id(), " (", scaled.spec().name(), ") wants ", request.count(), " ",
                          request.role(), "; watch them with trainyard describe ", scaled.id(),
                          "\n");
    });
    return kExitOk;
  });
}

}  // namespace trainyard::cli
