// PPO's trajectories and minibatch plans as messages. Pure. The controller writes what the learner
// reads; a rollout task writes a trajectory of its own, without scores.

#ifndef TRAINYARD_WIRE_TRAJECTORY_H_
#define TRAINYARD_WIRE_TRAJECTORY_H_

#include "absl/status/statusor.h"
#include "rl/balance.h"
#include "rl/trajectory.h"
#include "trainyard/v1/policy.pb.h"
#include "trainyard/v1/reward.pb.h"
#include "trainyard/v1/rollout.pb.h"

namespace trainyard::wire {

// InvalidArgument for a value of the enum that is not known here.
absl::StatusOr<rl::ScoreStatus> ScoreStatusFromWire(v1::ScoreStatus status);

// The tokens, where they came from and how they ended; no scores. InvalidArgument names row, sample
// and field: an unknown source or finish, also of an answer that was aborted.
absl::StatusOr<rl::Trajectory> AnswerFromWire(const v1::Trajectory& wire);

// With its combined score, without the components. InvalidArgument as above, and for a status OK
// without a score.
absl::StatusOr<rl::Trajectory> ScoredFromWire(const v1::Trajectory& wire);

v1::Trajectory TrajectoryToWire(const rl::Trajectory& trajectory);

v1::UpdatePlan PlanToWire(const rl::IterationPlan& plan);
rl::IterationPlan PlanFromWire(const v1::UpdatePlan& wire);

}  // namespace trainyard::wire

#endif  // TRAINYARD_WIRE_TRAJECTORY_H_
