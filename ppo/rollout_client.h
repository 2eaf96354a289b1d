// A rollout task, as the controller uses it.

#ifndef TRAINYARD_PPO_ROLLOUT_CLIENT_H_
#define TRAINYARD_PPO_ROLLOUT_CLIENT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "ppo/cancel_scope.h"
#include "ppo/options.h"
#include "rl/trajectory.h"
#include "rpc/fence.h"
#include "trainyard/v1/rollout.grpc.pb.h"
#include "trainyard/v1/weights.pb.h"

namespace trainyard::ppo {

// One sample to draw: a pure function of these, of the weights and of the seed.
struct SampleRequest {
  int64_t row = 0;  // ledger row
  int64_t sample = 0;
  std::shared_ptr<const std::vector<int32_t>> prompt;
};

struct GenerateOptions {
  Sampling sampling;
  uint64_t seed = 0;
  int64_t policy_version = 0;
  std::string tokenizer_hash;
  absl::Duration timeout;
};

// Thread-safe; calls end early when `scope` (may be null) is cancelled.
class RolloutClient {
 public:
  RolloutClient(const std::string& endpoint, const rpc::JobFence& fence);

  // Draws the samples; `on_answer` gets each as it is finished. Aborted answers, and those that the
  // stream ended without, are an Unavailable error after the others were delivered.
  absl::Status Generate(const std::vector<SampleRequest>& samples, const GenerateOptions& options,
                        const std::function<void(rl::Trajectory)>& on_answer, CancelScope* scope);

  // Returns when the task serves the version.
  absl::Status LoadWeights(const v1::WeightsManifest& manifest, absl::Duration timeout,
                           CancelScope* scope);

 private:
  const std::string endpoint_;
  const rpc::JobFence fence_;
  const std::unique_ptr<v1::RolloutService::Stub> stub_;
};

}  // namespace trainyard::ppo

#endif  // TRAINYARD_PPO_ROLLOUT_CLIENT_H_
