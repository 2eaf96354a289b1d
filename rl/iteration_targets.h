// From the log-probs and values of a whole iteration to what its losses aim at. Every rank computes
// it for all rows, in float64 and canonical order, so that the bits do not depend on the number of
// ranks. Pure.

#ifndef TRAINYARD_RL_ITERATION_TARGETS_H_
#define TRAINYARD_RL_ITERATION_TARGETS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "rl/advantage.h"
#include "rl/reward_assembly.h"
#include "rl/trajectory.h"

namespace trainyard::rl {

// Where each trajectory's trained tokens lie in arrays over all trained tokens of the iteration:
// row i owns [begins[i], begins[i + 1]).
std::vector<int64_t> TokenBegins(const std::vector<Trajectory>& trajectories);

// The rows that leave policy loss, value loss, whitening and KL alike: no score (dropped by its
// scorer's own verdict), or no end token under NoEndRule::kMaskOut. Empty reason: the row counts.
std::vector<std::string> ExclusionReasons(const std::vector<Trajectory>& trajectories,
                                          NoEndRule no_end_rule);

struct TargetOptions {
  RewardOptions reward;
  GaeOptions gae;
  double beta = 0.02;  // of the penalty in the reward; 0 when the KL is a loss term
  bool whiten_advantages = true;
  bool whiten_rewards = false;
};

// Per trained token of the iteration, in TokenBegins order.
struct TokenScalars {
  std::vector<double> old_log_probs;        // of the policy before its first update
  std::vector<double> reference_log_probs;
  std::vector<double> old_values;           // of the critic, at the predicting position
};

struct IterationTargets {
  std::vector<double> advantages;  // whitened when asked; 0 for excluded rows
  std::vector<double> returns;     // A + V_old from unwhitened A
  std::vector<bool> token_mask;    // false for excluded rows
  double kl_k1 = 0;                // mean over samples of the per-sample sum
  int64_t samples = 0;             // rows that count
  std::map<std::string, double> metrics;
};

// InvalidArgument when the arrays do not have one entry per trained token or none is left;
// DataLoss, naming row, sample and quantity, when an entry is not finite.
absl::StatusOr<IterationTargets> ComputeTargets(const std::vector<Trajectory>& trajectories,
                                                const TokenScalars& scalars,
                                                const TargetOptions& options);

}  // namespace trainyard::rl

#endif  // TRAINYARD_RL_ITERATION_TARGETS_H_
