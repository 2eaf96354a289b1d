// What tasks say on their own sessions: hello, ready, progress, why they end. Fenced by epoch.

#ifndef TRAINYARD_COORDINATOR_CORE_TASK_SESSION_H_
#define TRAINYARD_COORDINATOR_CORE_TASK_SESSION_H_

#include "absl/status/status.h"
#include "coordinator/core/draft.h"

namespace trainyard::coordinator {

// Welcomes the task, tells it its peers and any stop it missed; or closes its stream:
//   Aborted           its epoch is over, or its task is EXITED or LOST
//   PermissionDenied  wrong secret or job
//   Unavailable       it knows a higher epoch or term than this coordinator
void OnTaskHello(Draft& draft, const TaskHello& event);

void OnTaskReady(Draft& draft, const TaskReady& event);
void OnTaskProgress(Draft& draft, const TaskProgress& event);
void OnTaskEnd(Draft& draft, const TaskEnd& event);
void OnTaskHeartbeat(Draft& draft, const TaskHeartbeat& event);
void OnTaskSessionLost(Draft& draft, const TaskSessionLost& event);

// May this task act for its job? The statuses of OnTaskHello; NotFound names an unknown job.
absl::Status CheckRights(const State& state, const TaskIdentity& task);

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_CORE_TASK_SESSION_H_
