#include "base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

namespace trainyard {
namespace {

// Known answers of Random123's kat_vectors, philox4x32-10.
TEST(RandomTest, PhiloxGivesThePublishedNumbers) {
  EXPECT_EQ(Philox(0, 0, 0),
            (std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const uint64_t ones = ~uint64_t{0};
  EXPECT_EQ(Philox(ones, ones, ones),
            (std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox(0x299f31d0a4093822, 0x85a308d3243f6a88, 0x0370734413198a2e),
            (std::array<uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomTest, ADrawDependsOnKeyCounterAndLaneOnly) {
  const CounterRandom a(1), b(1), c(2);
  EXPECT_EQ(a.Bits(5, 6), b.Bits(5, 6));
  EXPECT_NE(a.Bits(5, 6), a.Bits(6, 5));
  EXPECT_NE(a.Bits(5), c.Bits(5));
  EXPECT_NE(DeriveKey(1, "sampler"), DeriveKey(1, "order"));
  EXPECT_NE(DeriveKey(1, "sampler", 0), DeriveKey(1, "sampler", 1));
}

TEST(RandomTest, UniformDrawsFillTheUnitInterval) {
  const CounterRandom random(42);
  constexpr int kDraws = 100'000;
  double sum = 0;
  for (int i = 0; i < kDraws; ++i) {
    const float single = random.UniformFloat(i);
    ASSERT_GE(single, 0.0f);
    ASSERT_LT(single, 1.0f);
    const double wide = random.UniformDouble(i, 1);
    ASSERT_GE(wide, 0.0);
    ASSERT_LT(wide, 1.0);
    sum += wide;
  }
  EXPECT_NEAR(sum / kDraws, 0.5, 5 * std::sqrt(1.0 / 12 / kDraws));
}

TEST(RandomTest, BelowIsUniformByChiSquare) {
  const CounterRandom random(7);
  constexpr int kBound = 10, kDraws = 100'000;
  std::vector<int> counts(kBound);
  for (int i = 0; i < kDraws; ++i) ++counts[random.Below(kBound, i)];
  double chi_square = 0;
  for (const int count : counts) {
    const double expected = static_cast<double>(kDraws) / kBound;
    chi_square += (count - expected) * (count - expected) / expected;
  }
  EXPECT_LT(chi_square, 27.9);  // p = 0.001 at 9 degrees of freedom
}

TEST(RandomTest, APermutationHoldsEveryNumberOnceAndFollowsItsKey) {
  std::vector<uint64_t> order = Permutation(3, 1000);
  EXPECT_EQ(order, Permutation(3, 1000));
  EXPECT_NE(order, Permutation(4, 1000));
  std::sort(order.begin(), order.end());
  std::vector<uint64_t> sorted(1000);
  std::iota(sorted.begin(), sorted.end(), uint64_t{0});
  EXPECT_EQ(order, sorted);
  EXPECT_TRUE(Permutation(3, 0).empty());
}

TEST(RandomTest, EntropyDoesNotRepeat) {
  std::set<uint64_t> seen;
  for (int i = 0; i < 100; ++i) seen.insert(EntropyBits());
  EXPECT_EQ(seen.size(), 100);
}

}  // namespace
}  // namespace trainyard
