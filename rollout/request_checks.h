// Whether an engine can serve a request at all. Pure functions.

#ifndef TRAINYARD_ROLLOUT_REQUEST_CHECKS_H_
#define TRAINYARD_ROLLOUT_REQUEST_CHECKS_H_

#include "absl/status/status.h"
#include "rollout/packed_model.h"
#include "rollout/sequence.h"

namespace trainyard::rollout {

// Of one engine.
struct EngineLimits {
  const model::ModelConfig& config;
  int max_running_sequences = 0;
  int total_blocks = 0;
  bool has_text = false;  // knows the text of its tokens
};

// New tokens that fit behind a prompt: max_new_tokens, or what the context leaves.
int MostNewTokens(const GenerateRequest& request, const model::ModelConfig& config);

// InvalidArgument names the field, its value and its limits.
absl::Status CheckGenerate(const GenerateRequest& request, const EngineLimits& limits);
absl::Status CheckScore(const ScoreRequest& request, const EngineLimits& limits);

}  // namespace trainyard::rollout

#endif  // TRAINYARD_ROLLOUT_REQUEST_CHECKS_H_
