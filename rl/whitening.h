// Masked moments and whitening over a whole iteration, in float64 and in the order given, so that
// every rank computes the same bits. Pure.

#ifndef TRAINYARD_RL_WHITENING_H_
#define TRAINYARD_RL_WHITENING_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace trainyard::rl {

struct Moments {
  int64_t count = 0;
  double mean = 0;
  double variance = 0;  // biased: divided by count
};

// Mean and biased variance of values[i] where mask[i]. Zeros when nothing is left.
Moments MaskedMoments(absl::Span<const double> values, const std::vector<bool>& mask);

inline constexpr double kWhiteningEpsilon = 1e-8;

// values[i] <- (values[i] - mean) / sqrt(variance + 1e-8) where mask[i]; the others become 0. With
// `keep_mean` the mean is added again (for rewards, whose sign carries meaning).
void Whiten(const std::vector<bool>& mask, bool keep_mean, absl::Span<double> values);

// 1 - Var(returns - values) / Var(returns) over the mask: 1 is a perfect critic, 0 a constant one.
// 0 when the returns do not vary.
double ExplainedVariance(absl::Span<const double> returns, absl::Span<const double> values,
                         const std::vector<bool>& mask);

}  // namespace trainyard::rl

#endif  // TRAINYARD_RL_WHITENING_H_
