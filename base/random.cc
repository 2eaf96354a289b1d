#include "base/random.h"

#include <sys/random.h>

#include <numeric>
#include <utility>

#include "base/checksum.h"
#include "base/status.h"

namespace trainyard {

std::array<uint32_t, 4> Philox(uint64_t key, uint64_t counter_low, uint64_t counter_high) {
  constexpr uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
  constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  uint32_t c0 = counter_low, c1 = counter_low >> 32, c2 = counter_high, c3 = counter_high >> 32;
  uint32_t k0 = key, k1 = key >> 32;
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = kMultiplier0 * c0, product1 = kMultiplier1 * c2;
    const uint32_t high0 = product0 >> 32, high1 = product1 >> 32;
    c0 = high1 ^ c1 ^ k0;
    c1 = static_cast<uint32_t>(product1);
    c2 = high0 ^ c3 ^ k1;
    c3 = static_cast<uint32_t>(product0);
    k0 += kWeyl0;
    k1 += kWeyl1;
  }
  return {c0, c1, c2, c3};
}

uint64_t DeriveKey(uint64_t seed, absl::string_view stream, uint64_t index) {
  const auto bits = Philox(seed, Xxh3Hash64(stream), index);
  return static_cast<uint64_t>(bits[1]) << 32 | bits[0];
}

uint64_t CounterRandom::Bits(uint64_t counter, uint64_t lane) const {
  const auto bits = Philox(key_, counter, lane);
  return static_cast<uint64_t>(bits[1]) << 32 | bits[0];
}

float CounterRandom::UniformFloat(uint64_t counter, uint64_t lane) const {
  return static_cast<float>(Bits(counter, lane) >> 40) * 0x1p-24f;
}

double CounterRandom::UniformDouble(uint64_t counter, uint64_t lane) const {
  return static_cast<double>(Bits(counter, lane) >> 11) * 0x1p-53;
}

uint64_t CounterRandom::Below(uint64_t bound, uint64_t counter, uint64_t lane) const {
  TY_CHECK(bound > 0);
  __extension__ using Wide = unsigned __int128;
  return static_cast<uint64_t>(static_cast<Wide>(Bits(counter, lane)) * bound >> 64);
}

std::vector<uint64_t> Permutation(uint64_t key, uint64_t size) {
  std::vector<uint64_t> order(size);
  std::iota(order.begin(), order.end(), uint64_t{0});
  const CounterRandom random(key);
  for (uint64_t i = size; i > 1; --i) std::swap(order[i - 1], order[random.Below(i, i)]);
  return order;
}

uint64_t EntropyBits() {
  uint64_t bits = 0;
  TY_CHECK(getrandom(&bits, sizeof(bits), 0) == sizeof(bits));
  return bits;
}

}  // namespace trainyard
