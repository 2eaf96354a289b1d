#include "rl/kl.h"

#include <cmath>

#include "gtest/gtest.h"

namespace trainyard::rl {
namespace {

TEST(KlTest, EstimatorsFollowTheirFormulas) {
  // log pi = -1, log ref = -1.5: k1 = 0.5.
  EXPECT_DOUBLE_EQ(K1(-1.0, -1.5), 0.5);
  EXPECT_DOUBLE_EQ(K2(-1.0, -1.5), 0.125);
  EXPECT_NEAR(K3(-1.0, -1.5), std::exp(-0.5) - 1 + 0.5, 1e-15);
  EXPECT_NEAR(K3(-1.5, -1.0), std::exp(0.5) - 1 - 0.5, 1e-15);
}

TEST(KlTest, TheExpectationOfK1AndK3IsTheKl) {
  const double pi[] = {0.5, 0.3, 0.2};
  const double reference[] = {0.2, 0.5, 0.3};
  double kl = 0, k1 = 0, k3 = 0;
  for (int i = 0; i < 3; ++i) {
    kl += pi[i] * std::log(pi[i] / reference[i]);
    k1 += pi[i] * K1(std::log(pi[i]), std::log(reference[i]));
    k3 += pi[i] * K3(std::log(pi[i]), std::log(reference[i]));
  }
  EXPECT_NEAR(k1, kl, 1e-15);
  EXPECT_NEAR(k3, kl, 1e-15);
}

TEST(KlTest, MetricIsTheMeanOverSamplesOfTheirSums) {
  const std::vector<double> per_token = {1, 2, 10, 4, 5, 6};
  const std::vector<int64_t> begins = {0, 2, 3, 6};
  EXPECT_DOUBLE_EQ(MeanOfSampleSums(per_token, begins, {false, false, false}), (3 + 10 + 15) / 3.0);
  EXPECT_DOUBLE_EQ(MeanOfSampleSums(per_token, begins, {false, true, false}), (3 + 15) / 2.0);
  EXPECT_DOUBLE_EQ(MeanOfSampleSums(per_token, begins, {true, true, true}), 0);
}

TEST(KlTest, AdaptiveBetaMovesTowardsTheTargetByAtMostAFifthPerHorizon) {
  const AdaptiveBetaOptions options{.target = 6, .horizon = 10000};
  EXPECT_DOUBLE_EQ(NextBeta(0.2, 6.0, 512, options), 0.2);
  EXPECT_DOUBLE_EQ(NextBeta(0.2, 6.6, 500, options), 0.2 * (1 + 0.1 * 0.05));
  EXPECT_DOUBLE_EQ(NextBeta(0.2, 60.0, 500, options), 0.2 * (1 + 0.2 * 0.05));
  EXPECT_DOUBLE_EQ(NextBeta(0.2, -3.0, 500, options), 0.2 * (1 - 0.2 * 0.05));
}

}  // namespace
}  // namespace trainyard::rl
