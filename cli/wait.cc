#include <iostream>
#include <memory>

#include "base/status.h"
#include "cli/follow.h"
#include "cli/text.h"
#include "cli/verb.h"

namespace trainyard::cli {
namespace {

struct WaitOptions {
  std::string name;
  double timeout_seconds = 0;
};

}  // namespace

void AddWait(CLI::App& app, Globals* globals) {
  CLI::App* verb = AddVerb(app, globals, "wait",
                           "Wait until a job or a pipeline is over\nExit code: 0 succeeded, 10 "
                           "failed, 11 cancelled, 12 time over",
                           "trainyard wait demo --timeout 600 && trainyard artifacts demo");
  const auto options = std::make_shared<WaitOptions>();
  verb->add_option("JOB", options->name, "id or name of a job or pipeline")->required();
  verb->add_option("--timeout", options->timeout_seconds, "give up after so many seconds");
  SetBody(verb, globals, [globals, options]() -> absl::StatusOr<int> {
    TY_ASSIGN_OR_RETURN(Client client, Connect(*globals));
    const absl::Time until = options->timeout_seconds > 0
                                 ? absl::Now() + absl::Seconds(options->timeout_seconds)
                                 : absl::InfiniteFuture();
    TY_ASSIGN_OR_RETURN(const Target end, WaitFor(client, options->name, until));
    const auto table = [&] {
      std::string out;
      for (const v1::Job& job : JobsOf(end)) {
        const std::string why = job.state() == v1::SUCCEEDED ? "" : EndText(job.end());
        out += job.id() + "  " + job.spec().name() + "  " + Name(job.state()) +
               (why.empty() ? "" : "  " + why) + "\n";
      }
      return out;
    };
    std::visit([&](const auto& message) { Print(*globals, message, table); }, end);
    return ExitCodeOf(end);
  });
}

}  // namespace trainyard::cli
