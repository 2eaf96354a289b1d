// Intervals of measures by resampling prompts (Efron and Tibshirani 1993, percentile method).

#ifndef TRAINYARD_EVAL_BOOTSTRAP_H_
#define TRAINYARD_EVAL_BOOTSTRAP_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/types/span.h"

namespace trainyard::eval {

struct Interval {
  double low = 0;
  double high = 0;
};

struct BootstrapOptions {
  int resamples = 2000;
  uint64_t seed = 0;
  double confidence = 0.95;
};

// `statistic` gets how often each of `items` items was drawn (with replacement, `items` draws) and
// returns a number. The interval between the percentiles of its values; not finite ones count as
// the extremes. A pure function of its arguments; the draws depend on the seed and on `items`
// alone, so that two statistics see the same resamples: differences are paired.
Interval Bootstrap(int64_t items, const BootstrapOptions& options,
                   const std::function<double(absl::Span<const int32_t>)>& statistic);

}  // namespace trainyard::eval

#endif  // TRAINYARD_EVAL_BOOTSTRAP_H_
