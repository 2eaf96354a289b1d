#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status.h"
#include "cli/follow.h"
#include "cli/message_text.h"
#include "cli/text.h"
#include "cli/verb.h"

namespace trainyard::cli {
namespace {

constexpr int kEvents = 200;
constexpr int kShownEvents = 15;

absl::StatusOr<std::string> Events(Client& client, const std::string& job) {
  v1::ListEventsRequest request;
  request.set_job(job);
  request.set_page_size(kEvents);
  std::string out = "\nevents\n";
  TY_ASSIGN_OR_RETURN(const auto response, client.ListEvents(request));
  const int first = std::max(0, response.events_size() - kShownEvents);
  for (int i = first; i < response.events_size(); ++i) {
    const v1::Event& event = response.events(i);
    absl::StrAppendFormat(&out, "  %s  %-22s %s\n", LocalTime(event.time_us()), event.type(),
                          event.message());
  }
  return out;
}

absl::StatusOr<int> DescribeOne(const Globals& globals, Client& client, const std::string& id) {
  TY_ASSIGN_OR_RETURN(const v1::Job job, client.GetJob(id, /*explain=*/true));
  TY_ASSIGN_OR_RETURN(const std::string events, Events(client, job.id()));
  Print(globals, job, [&] {
    return absl::StrCat(DescribeJob(job, absl::Now()), events, "\nspec\n",
                        MessageToYaml(job.spec()));
  });
  return kExitOk;
}

}  // namespace

void AddDescribe(CLI::App& app, Globals* globals) {
  CLI::App* verb = AddVerb(app, globals, "describe",
                           "Everything about a job: tasks, checkpoints, events, why it waits",
                           "trainyard describe demo");
  const auto name = std::make_shared<std::string>();
  verb->add_option("JOB", *name, "id or name of a job or pipeline")->required();
  SetBody(verb, globals, [globals, name]() -> absl::StatusOr<int> {
    TY_ASSIGN_OR_RETURN(Client client, Connect(*globals));
    TY_ASSIGN_OR_RETURN(const Target target, client.Find(*name));
    if (const auto* job = std::get_if<v1::Job>(&target)) {
      return DescribeOne(*globals, client, job->id());
    }
    const auto& pipeline = std::get<v1::Pipeline>(target);
    Print(*globals, pipeline, [&] {
      std::string out = absl::StrCat("pipeline ", pipeline.id(), " (", pipeline.name(), ")\n");
      for (const v1::Job& job : pipeline.jobs()) {
        absl::StrAppend(&out, "\n", DescribeJob(job, absl::Now()));
      }
      return out;
    });
    return kExitOk;
  });
}

}  // namespace trainyard::cli
