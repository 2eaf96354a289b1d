// Following a job or a pipeline to its end, on a terminal or in a log.

#ifndef TRAINYARD_CLI_FOLLOW_H_
#define TRAINYARD_CLI_FOLLOW_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cli/client.h"
#include "cli/verb.h"

namespace trainyard::cli {

// Shows progress until everything is over: lines that renew themselves on a terminal, news line by
// line elsewhere, a job as JSON on a line of its own at each change with `-o json`. The exit code
// of the outcome.
absl::StatusOr<int> Follow(Client& client, const std::string& name, const Globals& globals);

// The same without a word.
absl::StatusOr<Target> WaitFor(Client& client, const std::string& name, absl::Time until);

// Every job of a target.
std::vector<v1::Job> JobsOf(const Target& target);

}  // namespace trainyard::cli

#endif  // TRAINYARD_CLI_FOLLOW_H_
