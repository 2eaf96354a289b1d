#include "rl/whitening.h"

#include <cmath>

#include "base/status.h"

namespace trainyard::rl {

Moments MaskedMoments(absl::Span<const double> values, const std::vector<bool>& mask) {
  TY_CHECK(values.size() == mask.size());
  Moments moments;
  for (size_t i = 0; i < values.size(); ++i) {
    if (!mask[i]) continue;
    moments.mean += values[i];
    ++moments.count;
  }
  if (moments.count == 0) return moments;
  moments.mean /= static_cast<double>(moments.count);
  for (size_t i = 0; i < values.size(); ++i) {
    if (!mask[i]) continue;
    const double distance = values[i] - moments.mean;
    moments.variance += distance * distance;
  }
  moments.variance /= static_cast<double>(moments.count);
  return moments;
}

void Whiten(const std::vector<bool>& mask, bool keep_mean, absl::Span<double> values) {
  const Moments moments = MaskedMoments(values, mask);
  const double scale = 1.0 / std::sqrt(moments.variance + kWhiteningEpsilon);
  for (size_t i = 0; i < values.size(); ++i) {
    if (!mask[i]) {
      values[i] = 0;
      continue;
    }
    values[i] = (values[i] - moments.mean) * scale + (keep_mean ? moments.mean : 0);
  }
}

double ExplainedVariance(absl::Span<const double> returns, absl::Span<const double> values,
                         const std::vector<bool>& mask) {
  TY_CHECK(returns.size() == values.size());
  std::vector<double> residuals(returns.size());
  for (size_t i = 0; i < returns.size(); ++i) residuals[i] = returns[i] - values[i];
  const double total = MaskedMoments(returns, mask).variance;
  if (total == 0) return 0;
  return 1.0 - MaskedMoments(residuals, mask).variance / total;
}

}  // namespace trainyard::rl
