#include "rl/reward_assembly.h"

#include <algorithm>
#include <cmath>

#include "base/status.h"
#include "rl/kl.h"

namespace trainyard::rl {

double AnswerReward(double raw, bool ended, const RewardOptions& options) {
  TY_CHECK(options.std > 0);
  const double normalised =
      std::clamp((raw - options.mean) / options.std, -options.clip, options.clip);
  if (ended) return normalised;
  switch (options.no_end_rule) {
    case NoEndRule::kConstant: return options.no_end_value;
    case NoEndRule::kSubtract: return normalised - std::fabs(options.no_end_value);
    case NoEndRule::kMaskOut: return normalised;
  }
  return normalised;
}

void TokenRewards(double answer_reward, double beta, absl::Span<const double> log_probs,
                  absl::Span<const double> reference_log_probs, absl::Span<double> rewards) {
  TY_CHECK(!rewards.empty() && rewards.size() == log_probs.size());
  TY_CHECK(rewards.size() == reference_log_probs.size());
  for (size_t t = 0; t < rewards.size(); ++t) {
    rewards[t] = -beta * K1(log_probs[t], reference_log_probs[t]);
  }
  rewards.back() += answer_reward;
}

}  // namespace trainyard::rl
