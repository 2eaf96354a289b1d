// The PPO part of a job's spec, for a learner rank. Only ppo_spec.cc sees protobuf.

#ifndef TRAINYARD_WORKER_PPO_SPEC_H_
#define TRAINYARD_WORKER_PPO_SPEC_H_

#include "absl/status/statusor.h"
#include "task/assignment.h"
#include "worker/learner_options.h"

namespace trainyard::worker {

struct LearnerPlan {
  LearnerOptions options;
  LearnerModels models;
};

// InvalidArgument names the field and its limits, also for fields that are kept for later; NotFound
// the file.
absl::StatusOr<LearnerPlan> ParseLearnerPlan(const task::Assignment& assignment);

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_PPO_SPEC_H_
