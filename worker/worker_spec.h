// From the protobuf spec of an assignment to the plain structs of this directory. The only file of
// the trainer that sees protobuf is worker_spec.cc.

#ifndef TRAINYARD_WORKER_WORKER_SPEC_H_
#define TRAINYARD_WORKER_WORKER_SPEC_H_

#include <variant>

#include "absl/status/statusor.h"
#include "task/assignment.h"
#include "worker/train_job.h"

namespace trainyard::worker {

// A spec of kind PPO: this process is a learner rank, which reads the spec itself.
struct LearnerJob {};

using WorkerJob = std::variant<TrainJob, TokenizerJob, TokenizeJob, LearnerJob>;

// InvalidArgument names the field and its limits, also for a kind that this program does not do;
// NotFound and PermissionDenied the file.
absl::StatusOr<WorkerJob> ParseWorkerJob(const task::Assignment& assignment);

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_WORKER_SPEC_H_
