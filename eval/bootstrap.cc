#include "eval/bootstrap.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "base/status.h"

namespace trainyard::eval {
namespace {

// Linear between the two nearest of `sorted`.
double Percentile(const std::vector<double>& sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const size_t below = static_cast<size_t>(at);
  if (below + 1 >= sorted.size()) return sorted.back();
  const double rest = at - static_cast<double>(below);
  if (rest == 0 || sorted[below] == sorted[below + 1]) return sorted[below];
  return sorted[below] + rest * (sorted[below + 1] - sorted[below]);
}

}  // namespace

Interval Bootstrap(int64_t items, const BootstrapOptions& options,
                   const std::function<double(absl::Span<const int32_t>)>& statistic) {
  TY_CHECK(items > 0 && options.resamples > 0);
  const CounterRandom random(DeriveKey(options.seed, "bootstrap"));
  std::vector<double> values;
  std::vector<int32_t> drawn(items);
  for (int resample = 0; resample < options.resamples; ++resample) {
    std::fill(drawn.begin(), drawn.end(), 0);
    for (int64_t i = 0; i < items; ++i) ++drawn[random.Below(items, i, resample)];
    const double value = statistic(drawn);
    values.push_back(std::isnan(value) ? INFINITY : value);
  }
  std::sort(values.begin(), values.end());
  const double tail = (1 - options.confidence) / 2;
  return {Percentile(values, tail), Percentile(values, 1 - tail)};
}

}  // namespace trainyard::eval
