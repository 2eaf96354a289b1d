// Decides whether an update is to be skipped because its loss or gradient norm is far outside of
// what the run has seen. A value: the state is a few numbers that go into the manifest.

#ifndef TRAINYARD_WORKER_SPIKE_GUARD_H_
#define TRAINYARD_WORKER_SPIKE_GUARD_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "base/json.h"

namespace trainyard::worker {

struct SpikeGuardOptions {
  double z_limit = 0;             // 0 = off
  int64_t least_history = 50;     // steps before anything is judged
  double forget = 0.02;           // weight of a new observation in mean and variance
  int64_t most_consecutive = 10;  // after so many skips the next update is taken: the level moved
};

// Exponentially weighted mean and variance.
struct RunningMoments {
  double mean = 0;
  double variance = 0;
  int64_t count = 0;

  void Add(double value, double forget);
  // Standard deviations of `value` above the mean; 0 where the variance is 0.
  double ZScore(double value) const;
};

// All ranks feed it the same global numbers and so decide alike.
class SpikeGuard {
 public:
  explicit SpikeGuard(const SpikeGuardOptions& options) : options_(options) {}

  struct Verdict {
    bool skip = false;
    std::string reason;
  };

  // Judges a step and, unless it is skipped, learns from it.
  Verdict Judge(double loss, double grad_norm);

  int64_t skipped() const { return skipped_; }

  Json ToJson() const;
  absl::Status Restore(const Json& state);

 private:
  SpikeGuardOptions options_;
  RunningMoments loss_;
  RunningMoments grad_norm_;
  int64_t skipped_ = 0;
  int64_t consecutive_ = 0;
};

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_SPIKE_GUARD_H_
