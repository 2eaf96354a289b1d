#include "rollout/best_of.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace trainyard::rollout {
namespace {

double MeanLogprob(const Completion& sample) {
  if (sample.logprobs.empty()) return -std::numeric_limits<double>::infinity();
  return std::accumulate(sample.logprobs.begin(), sample.logprobs.end(), 0.0) /
         static_cast<double>(sample.logprobs.size());
}

}  // namespace

std::vector<Completion> KeepBest(std::vector<Completion> samples, int n) {
  std::sort(samples.begin(), samples.end(), [](const Completion& a, const Completion& b) {
    const double of_a = MeanLogprob(a), of_b = MeanLogprob(b);
    return of_a != of_b ? of_a > of_b : a.sample < b.sample;
  });
  const auto aborted = std::find_if(samples.begin(), samples.end(), [](const Completion& sample) {
    return sample.finish == FinishReason::kAborted;
  });
  if (aborted != samples.end()) {
    const absl::Status error = aborted->error;
    for (Completion& sample : samples) {
      sample.finish = FinishReason::kAborted;
      sample.error = error;
    }
  }
  if (samples.size() > static_cast<size_t>(n)) samples.resize(n);
  return samples;
}

}  // namespace trainyard::rollout
