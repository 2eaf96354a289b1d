// From an answer's score to the reward of each of its tokens. Pure, float64.
//   r_t = -beta k1_t + [t = last] R
// (Ziegler et al., arXiv:1909.08593, equation 2; Stiennon et al., arXiv:2009.01325, for the rule
// about answers without an end.)

#ifndef TRAINYARD_RL_REWARD_ASSEMBLY_H_
#define TRAINYARD_RL_REWARD_ASSEMBLY_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace trainyard::rl {

// What happens to an answer that ran into the length limit.
enum class NoEndRule {
  kConstant,  // R = no_end_value, whatever the scorer said
  kSubtract,  // R = R - |no_end_value|
  kMaskOut,   // the answer leaves policy loss, value loss, whitening and KL alike
};

struct RewardOptions {
  double mean = 0;  // of the scorer, stored with it
  double std = 1;   // > 0
  double clip = 10;  // R is cut to [-clip, clip] before the rule below
  NoEndRule no_end_rule = NoEndRule::kConstant;
  double no_end_value = -1;  // on the normalised scale
};

// R of one answer: (raw - mean) / std, cut to +-clip, then the rule for answers without an end.
double AnswerReward(double raw, bool ended, const RewardOptions& options);

// rewards[t] = -beta * (log_prob_t - reference_t), plus `answer_reward` on the last. All spans have
// the same T >= 1 entries.
void TokenRewards(double answer_reward, double beta, absl::Span<const double> log_probs,
                  absl::Span<const double> reference_log_probs, absl::Span<double> rewards);

}  // namespace trainyard::rl

#endif  // TRAINYARD_RL_REWARD_ASSEMBLY_H_
