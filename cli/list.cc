#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "cli/text.h"
#include "cli/verb.h"

namespace trainyard::cli {
namespace {

struct ListOptions {
  std::string filter;
  int limit = 50;
};

constexpr int kLargestPage = 500;
constexpr int kMost = 1000000;

// Pages until `limit` jobs.
absl::StatusOr<v1::ListJobsResponse> Collect(Client& client, const ListOptions& options) {
  v1::ListJobsResponse all;
  v1::ListJobsRequest request;
  request.set_filter(options.filter);
  do {
    request.set_page_size(std::min(kLargestPage, options.limit - all.jobs_size()));
    request.set_page_token(all.next_page_token());
    TY_ASSIGN_OR_RETURN(const auto page, client.ListJobs(request));
    all.MergeFrom(page);
    all.set_next_page_token(page.next_page_token());
  } while (!all.next_page_token().empty() && all.jobs_size() < options.limit);
  return all;
}

}  // namespace

void AddList(CLI::App& app, Globals* globals) {
  CLI::App* verb = AddVerb(app, globals, "list", "List jobs, newest first",
                           "trainyard list --filter 'state=ACTIVE, kind=ppo'");
  const auto options = std::make_shared<ListOptions>();
  verb->add_option("--filter,-f", options->filter,
                   "state=, kind=, name=, pipeline=, label.KEY=; joined by commas");
  verb->add_option("--limit,-n", options->limit, "at most so many")
      ->check(CLI::Range(1, kMost))
      ->capture_default_str();
  SetBody(verb, globals, [globals, options]() -> absl::StatusOr<int> {
    TY_ASSIGN_OR_RETURN(Client client, Connect(*globals));
    TY_ASSIGN_OR_RETURN(const auto response, Collect(client, *options));
    Print(*globals, response, [&] {
      if (response.jobs().empty()) {
        return std::string("no jobs; submit one: trainyard submit examples/specs/fake.yaml\n");
      }
      const bool more = !response.next_page_token().empty();
      return absl::StrCat(JobTable({response.jobs().begin(), response.jobs().end()}, absl::Now()),
                          more ? "more: trainyard list --limit N\n" : "");
    });
    return kExitOk;
  });
}

}  // namespace trainyard::cli
