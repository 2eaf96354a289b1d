// Failures: which one was first, and what becomes of the job.

#ifndef TRAINYARD_COORDINATOR_CORE_RECOVERY_H_
#define TRAINYARD_COORDINATOR_CORE_RECOVERY_H_

#include <optional>
#include <vector>

#include "coordinator/core/draft.h"

namespace trainyard::coordinator {

// Why the task failed, as far as it is known: a signal or out of memory that its agent saw, else
// what it said itself, else its agent's report, else a hang. Nothing while it has not failed; an
// end that was ordered or that succeeded is no failure.
std::optional<EndReason> FailureOf(const Task& task);

// Signal or out of memory > node lost > the task's own error > hang > peer lost; lower is stronger.
int CauseRank(EndClass end_class);

// The strongest; of equal ones the first. `failures` is not empty.
EndReason FirstCause(const std::vector<EndReason>& failures);

// The reasons for which this attempt can not go on. An elastic task's end is one only when a
// restart can not help.
std::vector<EndReason> FailuresOf(const State& state, const Job& job);

struct Outcome {
  JobMove move = JobMove::kFail;
  bool counts = false;  // one more attempt without a commit
  absl::Duration delay = absl::ZeroDuration();
  std::string reason;
};

// What becomes of an ACTIVE job whose attempt just ended.
Outcome Decide(const CoreOptions& options, const JobRecord& job, const AttemptRecord& attempt);

// Pause before try number `failures` + 1.
absl::Duration Backoff(const CoreOptions& options, int failures);

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_CORE_RECOVERY_H_
