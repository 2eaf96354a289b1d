// Generalised advantage estimation: Schulman et al., arXiv:1506.02438, equations 11-16.

#ifndef TRAINYARD_RL_ADVANTAGE_H_
#define TRAINYARD_RL_ADVANTAGE_H_

#include "absl/types/span.h"

namespace trainyard::rl {

struct GaeOptions {
  double gamma = 1.0;
  double lambda = 0.95;
};

// For the T trained tokens of one answer:
//   delta_t = reward_t + gamma V_{t+1} - V_t,  A_t = delta_t + gamma lambda A_{t+1},
// where V after the last token is 0, whether the answer ended or was cut at the length limit.
// values[t] is read at the position that predicts token t. All spans have T entries.
void GeneralisedAdvantages(absl::Span<const double> rewards, absl::Span<const double> values,
                           const GaeOptions& options, absl::Span<double> advantages);

}  // namespace trainyard::rl

#endif  // TRAINYARD_RL_ADVANTAGE_H_
