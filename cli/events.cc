#include <algorithm>
#include <memory>

#include "base/status.h"
#include "cli/text.h"
#include "cli/verb.h"

namespace trainyard::cli {
namespace {

constexpr int kLargestPage = 500;
constexpr int kMost = 1000000;

struct EventsOptions {
  std::string job;
  int64_t after = 0;
  int limit = 1000;
};

absl::StatusOr<v1::ListEventsResponse> Collect(Client& client, const EventsOptions& options) {
  v1::ListEventsResponse all;
  v1::ListEventsRequest request;
  request.set_job(options.job);
  request.set_after_revision(options.after);
  while (all.events_size() < options.limit) {
    request.set_page_size(std::min(kLargestPage, options.limit - all.events_size()));
    TY_ASSIGN_OR_RETURN(const auto page, client.ListEvents(request));
    if (page.events().empty()) break;
    all.MergeFrom(page);
    request.set_after_revision(page.events(page.events_size() - 1).revision());
  }
  return all;
}

}  // namespace

void AddEvents(CLI::App& app, Globals* globals) {
  CLI::App* verb = AddVerb(app, globals, "events", "What happened, with its reasons, oldest first",
                           "trainyard events demo --after 120");
  const auto options = std::make_shared<EventsOptions>();
  verb->add_option("JOB", options->job, "id or name of a job (default: everything)");
  verb->add_option("--after", options->after, "only after this revision");
  verb->add_option("--limit,-n", options->limit, "at most so many, the last revision's all")
      ->check(CLI::Range(1, kMost))
      ->capture_default_str();
  SetBody(verb, globals, [globals, options]() -> absl::StatusOr<int> {
    TY_ASSIGN_OR_RETURN(Client client, Connect(*globals));
    TY_ASSIGN_OR_RETURN(const auto response, Collect(client, *options));
    Print(*globals, response, [&] {
      std::vector<std::vector<std::string>> rows = {
          {"REVISION", "TIME", "BY", "JOB", "NODE", "EVENT", "MESSAGE"}};
      for (const v1::Event& event : response.events()) {
        rows.push_back({std::to_string(event.revision()), LocalTime(event.time_us()),
                        event.principal(), event.job_id(), event.node(), event.type(),
                        event.message()});
      }
      return Table(rows);
    });
    return kExitOk;
  });
}

}  // namespace trainyard::cli
