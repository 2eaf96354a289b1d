#include "rl/advantage.h"

#include <cstdint>

#include "base/status.h"

namespace trainyard::rl {

void GeneralisedAdvantages(absl::Span<const double> rewards, absl::Span<const double> values,
                           const GaeOptions& options, absl::Span<double> advantages) {
  TY_CHECK(rewards.size() == values.size() && rewards.size() == advantages.size());
  double next_value = 0;
  double next_advantage = 0;
  for (int64_t t = static_cast<int64_t>(rewards.size()) - 1; t >= 0; --t) {
    const double delta = rewards[t] + options.gamma * next_value - values[t];
    next_advantage = delta + options.gamma * options.lambda * next_advantage;
    next_value = values[t];
    advantages[t] = next_advantage;
  }
}

}  // namespace trainyard::rl
