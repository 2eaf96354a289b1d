// Which model a rollout task serves, from its assignment. The .cc is the only file that sees the
// protobuf spec.

#ifndef TRAINYARD_ROLLOUT_ROLLOUT_SPEC_H_
#define TRAINYARD_ROLLOUT_ROLLOUT_SPEC_H_

#include <string>

#include "absl/status/statusor.h"
#include "task/assignment.h"

namespace trainyard::rollout {

struct RolloutJob {
  std::string model_directory;
  std::string tokenizer_directory;
  bool bf16 = false;  // the spec's dtype: BFLOAT16 computes products in bf16, all others in fp32
};

// PPO: the starting policy; generate: its model; eval: the model with this task's index.
// InvalidArgument for another kind, NotFound and PermissionDenied for the files.
absl::StatusOr<RolloutJob> ParseRolloutJob(const task::Assignment& assignment);

}  // namespace trainyard::rollout

#endif  // TRAINYARD_ROLLOUT_ROLLOUT_SPEC_H_
