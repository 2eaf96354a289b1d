// Counter-based random numbers (Philox4x32-10: Salmon et al., "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011). A number is a pure function of (key, counter): it does not depend on how many
// were drawn before, on the batch, the retry or the process. Values, no threads.

#ifndef TRAINYARD_BASE_RANDOM_H_
#define TRAINYARD_BASE_RANDOM_H_

#include <array>
#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"

namespace trainyard {

// The 128 random bits of (key, counter).
std::array<uint32_t, 4> Philox(uint64_t key, uint64_t counter_low, uint64_t counter_high);

// A key for an independent stream: mixes `seed` with a name ("sampler") and an index.
uint64_t DeriveKey(uint64_t seed, absl::string_view stream, uint64_t index = 0);

// One stream, addressed by counter. Copy freely.
class CounterRandom {
 public:
  explicit CounterRandom(uint64_t key) : key_(key) {}

  // 64 random bits at `counter` (and `lane`, a second dimension).
  uint64_t Bits(uint64_t counter, uint64_t lane = 0) const;
  // Uniform in [0, 1) with 24 bits, exactly representable as float.
  float UniformFloat(uint64_t counter, uint64_t lane = 0) const;
  // Uniform in [0, 1) with 53 bits.
  double UniformDouble(uint64_t counter, uint64_t lane = 0) const;
  // Uniform in [0, bound) without bias worth naming (128-bit multiply). bound > 0.
  uint64_t Below(uint64_t bound, uint64_t counter, uint64_t lane = 0) const;

 private:
  uint64_t key_;
};

// A permutation of 0..size-1: Fisher-Yates with the draws of `key`. O(size).
std::vector<uint64_t> Permutation(uint64_t key, uint64_t size);

// Random bytes of the operating system, for ids and secrets. Never for anything that must repeat.
uint64_t EntropyBits();

}  // namespace trainyard

#endif  // TRAINYARD_BASE_RANDOM_H_
