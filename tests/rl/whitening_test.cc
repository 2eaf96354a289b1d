#include "rl/whitening.h"

#include <cmath>

#include "gtest/gtest.h"

namespace trainyard::rl {
namespace {

TEST(WhiteningTest, MomentsAreMaskedAndBiased) {
  const Moments moments = MaskedMoments({1, 100, 3, 5}, {true, false, true, true});
  EXPECT_EQ(moments.count, 3);
  EXPECT_DOUBLE_EQ(moments.mean, 3);
  EXPECT_DOUBLE_EQ(moments.variance, 8.0 / 3);
}

TEST(WhiteningTest, WhitenedValuesHaveMeanZeroAndVarianceOne) {
  std::vector<double> values = {1, 100, 3, 5};
  Whiten({true, false, true, true}, /*keep_mean=*/false, absl::MakeSpan(values));
  const double scale = 1 / std::sqrt(8.0 / 3 + 1e-8);
  EXPECT_DOUBLE_EQ(values[0], -2 * scale);
  EXPECT_DOUBLE_EQ(values[1], 0);
  EXPECT_DOUBLE_EQ(values[2], 0);
  EXPECT_DOUBLE_EQ(values[3], 2 * scale);
}

TEST(WhiteningTest, RewardsKeepTheirMean) {
  std::vector<double> values = {1, 3};
  Whiten({true, true}, /*keep_mean=*/true, absl::MakeSpan(values));
  EXPECT_NEAR(values[0], 1, 1e-7);
  EXPECT_NEAR(values[1], 3, 1e-7);
}

TEST(WhiteningTest, EqualValuesDoNotDivideByZero) {
  std::vector<double> values = {2, 2};
  Whiten({true, true}, /*keep_mean=*/false, absl::MakeSpan(values));
  EXPECT_EQ(values, (std::vector<double>{0, 0}));
}

TEST(WhiteningTest, ExplainedVarianceOfPerfectConstantAndWrongCritics) {
  const std::vector<bool> mask(4, true);
  EXPECT_DOUBLE_EQ(ExplainedVariance({1, 2, 3, 4}, {1, 2, 3, 4}, mask), 1);
  EXPECT_DOUBLE_EQ(ExplainedVariance({1, 2, 3, 4}, {7, 7, 7, 7}, mask), 0);
  EXPECT_DOUBLE_EQ(ExplainedVariance({1, 2, 3, 4}, {4, 3, 2, 1}, mask), -3);
  EXPECT_DOUBLE_EQ(ExplainedVariance({2, 2}, {1, 3}, {true, true}), 0);
}

}  // namespace
}  // namespace trainyard::rl
