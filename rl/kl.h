// Estimators of KL(pi || reference) from samples of pi, and the adaptive penalty coefficient.
// J. Schulman, "Approximating KL divergence" (2020); Ziegler et al., arXiv:1909.08593, section 2.2.
// Pure functions in float64.

#ifndef TRAINYARD_RL_KL_H_
#define TRAINYARD_RL_KL_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace trainyard::rl {

// k1 = log pi - log ref: unbiased, of either sign.
double K1(double log_prob, double reference_log_prob);
// k2 = k1^2 / 2: biased, never negative; its gradient is that of the KL.
double K2(double log_prob, double reference_log_prob);
// k3 = exp(-k1) - 1 + k1: unbiased and never negative.
double K3(double log_prob, double reference_log_prob);

// The mean over samples of the per-sample sums of `per_token`. Sample i owns the entries
// [begins[i], begins[i + 1]); samples with excluded[i] are left out. 0 without samples.
double MeanOfSampleSums(absl::Span<const double> per_token, absl::Span<const int64_t> begins,
                        const std::vector<bool>& excluded);

struct AdaptiveBetaOptions {
  double target = 6.0;     // nats per answer
  double horizon = 10000;  // samples
};

// The next beta: beta * (1 + clip(kl / target - 1, -0.2, 0.2) * samples / horizon), where `kl` is
// the mean over samples of the per-sample sum. Needs target > 0 and horizon > 0.
double NextBeta(double beta, double kl, int64_t samples, const AdaptiveBetaOptions& options);

}  // namespace trainyard::rl

#endif  // TRAINYARD_RL_KL_H_
