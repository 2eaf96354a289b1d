// What this process was started for, from its assignment to its end reason. Free of torch.

#ifndef TRAINYARD_WORKER_RUN_WORKER_H_
#define TRAINYARD_WORKER_RUN_WORKER_H_

#include "base/end_class.h"
#include "task/assignment.h"
#include "task/session.h"

namespace trainyard::worker {

// Does the job of `assignment` and says how it ended: kSucceeded, kDrained when a stop was ordered
// (with everything saved that the order asked for), else why it failed. Called once, on the
// process's compute thread.
EndReason RunWorker(const task::Assignment& assignment, task::TaskSession* session);

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_RUN_WORKER_H_
