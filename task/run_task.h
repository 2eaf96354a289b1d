// The frame of every task's main: what comes before its work and after it.

#ifndef TRAINYARD_TASK_RUN_TASK_H_
#define TRAINYARD_TASK_RUN_TASK_H_

#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "base/end_class.h"
#include "base/progress.h"
#include "task/assignment.h"
#include "task/grace_watch.h"
#include "task/session.h"

namespace trainyard::task {

struct TaskMain {
  // File that the agent wrote. Empty: the program runs by itself, with a default assignment and
  // without a coordinator.
  std::string assignment_path;
  std::string log_level = "info";
  // In the log until the assignment says it, and of a program by itself: "rollout".
  std::string name;
  WhenStopped when_stopped = WhenStopped::kFinishWithinGrace;
};

// What the task is for. OK: it is done, or stopped as ordered with nothing left to do; Cancelled
// after an order to stop: it left work for the next attempt. `place`, {0, "starting"} at first, is
// kept by the work and told when it fails.
using TaskWork = std::function<absl::Status(const Assignment&, TaskSession*, Place*)>;

// In order: assignment, log, session, stop on signals, watch over the grace of a stop, the work on
// this thread, its end reason to the coordinator. BlockStopSignals must have been called. Returns
// the process's exit code.
int RunTask(const TaskMain& options, const TaskWork& work);

// What `status` of a task's work means: SUCCEEDED; DRAINED when it is Cancelled and a stop was
// ordered; else EndClassOf.
EndReason EndReasonOf(const absl::Status& status, const Place& place,
                      const std::optional<StopOrder>& stop);

}  // namespace trainyard::task

#endif  // TRAINYARD_TASK_RUN_TASK_H_
