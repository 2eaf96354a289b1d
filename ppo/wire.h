// Between the .proto messages and the controller's plain values.

#ifndef TRAINYARD_PPO_WIRE_H_
#define TRAINYARD_PPO_WIRE_H_

#include "absl/status/statusor.h"
#include "ppo/options.h"
#include "rl/trajectory.h"
#include "trainyard/v1/reward.pb.h"
#include "trainyard/v1/rollout.pb.h"

namespace trainyard::ppo {

v1::SamplingParameters SamplingToWire(const Sampling& sampling);

// An answer without scores yet. Unavailable: it was aborted, and has to be drawn again. Internal:
// it is none.
absl::StatusOr<rl::Trajectory> AnswerFromWire(const v1::Trajectory& message);

// Writes what the scorer said into the trajectory. Internal: it is OK and has no score, or the
// status is not one of the known.
absl::Status ApplyScore(const v1::ScoreResult& result, rl::Trajectory& trajectory);

}  // namespace trainyard::ppo

#endif  // TRAINYARD_PPO_WIRE_H_
