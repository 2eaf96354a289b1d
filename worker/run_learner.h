// A learner rank of a PPO job, from its assignment to its end.

#ifndef TRAINYARD_WORKER_RUN_LEARNER_H_
#define TRAINYARD_WORKER_RUN_LEARNER_H_

#include "absl/status/status.h"
#include "base/progress.h"
#include "task/assignment.h"
#include "task/session.h"

namespace trainyard::worker {

// Loads, joins the other ranks, restores the newest good checkpoint, serves until a stop is ordered
// (OK) or nothing goes any more (its error; `place` says where it was). The calling thread becomes
// the compute thread.
absl::Status RunLearner(const task::Assignment& assignment, task::TaskSession* session,
                        Place& place);

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_RUN_LEARNER_H_
