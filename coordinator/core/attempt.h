// The life of an attempt: placed, started, running, stopped, ended.

#ifndef TRAINYARD_COORDINATOR_CORE_ATTEMPT_H_
#define TRAINYARD_COORDINATOR_CORE_ATTEMPT_H_

#include <string>
#include <vector>

#include "coordinator/core/draft.h"
#include "coordinator/core/placement.h"

namespace trainyard::coordinator {

// How an attempt or a task is asked to stop.
struct StopPlan {
  EndReason end;
  absl::Duration grace;
  bool checkpoint = false;  // save one first, when the role can
};

// A new attempt of a QUEUED job on these places (one per seat), under a new epoch. Agents are told
// after the preflight.
void StartAttempt(Draft& draft, Job& job, const std::vector<Seat>& seats,
                  const std::vector<Placing>& places);

// One more task of a running attempt.
void StartTask(Draft& draft, Job& job, const Seat& seat, const Placing& placing);

// The preflight went well: agents are told to start the tasks.
void BeginStarting(Draft& draft, Job& job);

// Every task is told to stop; a task that no agent was ever told of is EXITED at once. Nothing when
// the attempt is STOPPING already.
void BeginStop(Draft& draft, Job& job, const StopPlan& plan);

// Tells one task to stop.
void StopTask(Draft& draft, Task& task, const StopPlan& plan);

// Looks at an ACTIVE job's attempt and does what is due: failures, deadlines, readiness, the end.
void ReviewAttempt(Draft& draft, Job& job);

// The session was welcomed, or the agent registered: what is pending there is said again.
void ResendPreflight(Draft& draft, Job& job);

// Everything the task is started with.
Assignment MakeAssignment(const State& state, const Job& job, const TaskRecord& task);

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_CORE_ATTEMPT_H_
