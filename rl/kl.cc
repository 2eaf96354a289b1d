#include "rl/kl.h"

#include <algorithm>
#include <cmath>

#include "base/status.h"

namespace trainyard::rl {

double K1(double log_prob, double reference_log_prob) { return log_prob - reference_log_prob; }

double K2(double log_prob, double reference_log_prob) {
  const double k1 = K1(log_prob, reference_log_prob);
  return 0.5 * k1 * k1;
}

double K3(double log_prob, double reference_log_prob) {
  const double k1 = K1(log_prob, reference_log_prob);
  return std::expm1(-k1) + k1;
}

double MeanOfSampleSums(absl::Span<const double> per_token, absl::Span<const int64_t> begins,
                        const std::vector<bool>& excluded) {
  TY_CHECK(begins.size() == excluded.size() + 1);
  double total = 0;
  int64_t samples = 0;
  for (size_t i = 0; i < excluded.size(); ++i) {
    if (excluded[i]) continue;
    double sum = 0;
    for (int64_t t = begins[i]; t < begins[i + 1]; ++t) sum += per_token[t];
    total += sum;
    ++samples;
  }
  return samples == 0 ? 0 : total / static_cast<double>(samples);
}

double NextBeta(double beta, double kl, int64_t samples, const AdaptiveBetaOptions& options) {
  TY_CHECK(options.target > 0 && options.horizon > 0);
  const double error = std::clamp(kl / options.target - 1.0, -0.2, 0.2);
  return beta * (1.0 + error * static_cast<double>(samples) / options.horizon);
}

}  // namespace trainyard::rl
