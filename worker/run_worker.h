// What this process was started for, from its assignment on. Free of torch.

#ifndef TRAINYARD_WORKER_RUN_WORKER_H_
#define TRAINYARD_WORKER_RUN_WORKER_H_

#include "absl/status/status.h"
#include "base/progress.h"
#include "task/assignment.h"
#include "task/session.h"

namespace trainyard::worker {

// Does the job of `assignment`. Cancelled: a stop was ordered here or on another rank, and
// everything is saved that the order asked for; else why it failed. `place` says where it was.
// Called once, on the process's compute thread.
absl::Status RunWorker(const task::Assignment& assignment, task::TaskSession* session,
                       Place* place);

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_RUN_WORKER_H_
