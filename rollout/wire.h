// rollout.proto and weights.proto from and to the engine's own structs. No torch.

#ifndef TRAINYARD_ROLLOUT_WIRE_H_
#define TRAINYARD_ROLLOUT_WIRE_H_

#include <vector>

#include "absl/status/statusor.h"
#include "rollout/engine_loop.h"
#include "rollout/weights_inbox.h"
#include "trainyard/v1/rollout.pb.h"
#include "trainyard/v1/weights.pb.h"

namespace trainyard::rollout {

// What a request leaves out.
struct WireDefaults {
  std::vector<int32_t> end_ids;  // of the model, for requests without end_ids
};

// One request per prompt, without tickets and deadlines. InvalidArgument names the field.
absl::StatusOr<std::vector<GenerateRequest>> ReadGenerate(const v1::GenerateRequest& request,
                                                          const WireDefaults& defaults);

std::vector<ScoreRequest> ReadScore(const v1::ScoreTokensRequest& request);

WeightsManifest ReadManifest(const v1::WeightsManifest& manifest);

// The prompt is the request's: completions hold the answer alone. All spans of the answer train
// unless it was aborted.
v1::Trajectory WriteTrajectory(const std::vector<int32_t>& prompt_ids,
                               const Completion& completion);

}  // namespace trainyard::rollout

#endif  // TRAINYARD_ROLLOUT_WIRE_H_
