#include "kernels/bf16.h"

namespace trainyard::kernels {

const Bf16Kernels& BestBf16Kernels() {
  if (const Bf16Kernels* table = AmxBf16Kernels()) return *table;
  if (const Bf16Kernels* table = Avx512Bf16Kernels()) return *table;
  if (const Bf16Kernels* table = Avx2Bf16Kernels()) return *table;
  return *PlainBf16Kernels();
}

void RoundToBf16(const float* x, int64_t n, uint16_t* out) {
  for (int64_t i = 0; i < n; ++i) {
    const uint32_t bits = __builtin_bit_cast(uint32_t, x[i]);
    const uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
    const bool is_nan = (bits & 0x7fffffffu) > 0x7f800000u;
    out[i] = static_cast<uint16_t>(is_nan ? 0x7fc0u : rounded);
  }
}

}  // namespace trainyard::kernels
