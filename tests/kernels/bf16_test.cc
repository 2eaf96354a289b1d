#include "kernels/bf16.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace trainyard::kernels {
namespace {

float Round(float x) {
  uint16_t half;
  RoundToBf16(&x, 1, &half);
  return WidenBf16(half);
}

TEST(Bf16, RoundsToTheNearestAndTiesToEven) {
  EXPECT_EQ(Round(1.0f), 1.0f);
  EXPECT_EQ(Round(1.0f + 0x1p-9f), 1.0f);
  EXPECT_EQ(Round(1.0f + 0x1p-8f), 1.0f);                // a tie, down to even
  EXPECT_EQ(Round(1.0f + 3 * 0x1p-8f), 1.0f + 0x1p-6f);  // a tie, up to even
  EXPECT_EQ(Round(-(1.0f + 0x1p-8f + 0x1p-20f)), -(1.0f + 0x1p-7f));
}

TEST(Bf16, KeepsWhatIsNotFinite) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(Round(infinity), infinity);
  EXPECT_EQ(Round(std::numeric_limits<float>::max()), infinity);
  EXPECT_TRUE(std::isnan(Round(std::nanf(""))));
  EXPECT_TRUE(std::isnan(Round(__builtin_bit_cast(float, 0x7f800001u))));
}

TEST(Bf16, TheFastestTableIsOneOfThisMachine) {
  const Bf16Kernels* best = &BestBf16Kernels();
  EXPECT_TRUE(best == AmxBf16Kernels() || best == Avx512Bf16Kernels() ||
              best == Avx2Bf16Kernels() || best == PlainBf16Kernels());
}

}  // namespace
}  // namespace trainyard::kernels
