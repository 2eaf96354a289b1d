// How long to wait before trying again.

#ifndef TRAINYARD_BASE_BACKOFF_H_
#define TRAINYARD_BASE_BACKOFF_H_

#include <algorithm>
#include <cstdint>

#include "absl/time/time.h"
#include "base/random.h"

namespace trainyard {

// Doubling delays with jitter: the n-th lies in [d/2, d), d = min(initial * 2^n, longest). The
// draws are a function of `key`. A value.
class Backoff {
 public:
  Backoff(absl::Duration initial, absl::Duration longest, uint64_t key)
      : initial_(initial), longest_(longest), random_(key) {}

  // The next delay.
  absl::Duration Next() {
    const absl::Duration delay =
        std::min(longest_, initial_ * static_cast<double>(uint64_t{1} << std::min(tries_, 30)));
    ++tries_;
    return delay * (0.5 + 0.5 * random_.UniformDouble(draws_++));
  }

  // After a success: begins again at `initial`. Keeps drawing new numbers.
  void Reset() { tries_ = 0; }

  // Delays since the last success.
  int tries() const { return tries_; }

 private:
  absl::Duration initial_;
  absl::Duration longest_;
  CounterRandom random_;
  int tries_ = 0;
  uint64_t draws_ = 0;
};

}  // namespace trainyard

#endif  // TRAINYARD_BASE_BACKOFF_H_
