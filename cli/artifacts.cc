#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "cli/follow.h"
#include "cli/text.h"
#include "cli/verb.h"

namespace trainyard::cli {
namespace {

constexpr int kJobs = 500;

absl::StatusOr<std::vector<v1::Job>> Jobs(Client& client, const std::string& name) {
  if (!name.empty()) {
    TY_ASSIGN_OR_RETURN(const Target target, client.Find(name));
    return JobsOf(target);
  }
  v1::ListJobsRequest request;
  request.set_page_size(kJobs);
  request.set_filter("state=SUCCEEDED");
  TY_ASSIGN_OR_RETURN(const auto response, client.ListJobs(request));
  return std::vector<v1::Job>(response.jobs().begin(), response.jobs().end());
}

}  // namespace

void AddArtifacts(CLI::App& app, Globals* globals) {
  CLI::App* verb = AddVerb(app, globals, "artifacts", "List what jobs wrote, newest job first",
                           "trainyard artifacts demo");
  const auto name = std::make_shared<std::string>();
  verb->add_option("JOB", *name, "id or name of a job or pipeline (default: all jobs)");
  SetBody(verb, globals, [globals, name]() -> absl::StatusOr<int> {
    TY_ASSIGN_OR_RETURN(Client client, Connect(*globals));
    TY_ASSIGN_OR_RETURN(const std::vector<v1::Job> jobs, Jobs(client, *name));
    v1::Job all;  // only its outputs are printed
    std::vector<std::vector<std::string>> rows = {
        {"ARTIFACT", "TYPE", "SIZE", "JOB", "EPOCH", "URI"}};
    // A name is that of the newest job of this name: the older ones go by their ids.
    std::set<std::string> names;
    for (const v1::Job& job : jobs) {
      const bool named = names.insert(job.spec().name()).second && *name != job.id();
      for (const v1::Artifact& output : job.outputs()) {
        *all.add_outputs() = output;
        rows.push_back({absl::StrCat(named ? job.spec().name() : job.id(), "/", output.name()),
                        output.type(), ShortBytes(output.size_bytes()), job.id(),
                        absl::StrCat(output.epoch()), output.uri()});
      }
    }
    Print(*globals, all, [&] {
      return rows.size() == 1 ? std::string("no outputs yet; a job writes them when it succeeds\n")
                              : Table(rows);
    });
    return kExitOk;
  });
}

}  // namespace trainyard::cli
