#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "model/loss.h"
#include "model/numerics.h"

namespace trainyard::model {
namespace {

using ::testing::HasSubstr;

double Loss(double gap) { return std::log1p(std::exp(-gap)); }

class RankingLossTest : public ::testing::Test {
 protected:
  void SetUp() override { SetComputeThreads(1); }
  const at::Tensor scores_ = at::tensor({1.0, 0.5, -0.5, 2.0, 2.5}, at::kDouble);
};

TEST_F(RankingLossTest, IsTheSumOverGroupsOfTheMeanOverPairs) {
  const auto loss = PairwiseRankingLoss(scores_, {{{0, 1, 2}, {3, 2, 1}}, {{3, 4}, {5, 1}}}, {});
  ASSERT_TRUE(loss.ok()) << loss.status();
  EXPECT_NEAR(loss->loss_sum.item<double>(), (Loss(0.5) + Loss(1.5) + Loss(1.0)) / 3 + Loss(-0.5),
              1e-12);
  EXPECT_EQ(loss->groups, 2);
  EXPECT_EQ(loss->pairs, 4);
  EXPECT_EQ(loss->correct_pairs, 3);
}

TEST_F(RankingLossTest, TiesAndSmallGapsAreDroppedAndAnEmptyGroupIsNoUnit) {
  RankingOptions options;
  options.minimum_rating_gap = 1.0;
  options.margin = 0.25;
  const auto loss = PairwiseRankingLoss(
      scores_, {{{0, 1, 2}, {3, 2.5, 2}}, {{3, 4}, {5, 5}}, {{0, 4}, {1, 1.9}}}, options);
  ASSERT_TRUE(loss.ok()) << loss.status();
  EXPECT_NEAR(loss->loss_sum.item<double>(), Loss(1.5 - 0.25), 1e-12);
  EXPECT_EQ(loss->groups, 1);
  EXPECT_EQ(loss->pairs, 1);
}

TEST_F(RankingLossTest, NoPairAtAllIsAZeroLoss) {
  const auto loss = PairwiseRankingLoss(scores_, {{{0, 1}, {1, 1}}}, {});
  ASSERT_TRUE(loss.ok()) << loss.status();
  EXPECT_EQ(loss->loss_sum.item<double>(), 0.0);
  EXPECT_EQ(loss->groups, 0);
}

TEST_F(RankingLossTest, AMalformedGroupIsRefusedByNumber) {
  EXPECT_THAT(
      std::string(PairwiseRankingLoss(scores_, {{{0}, {1}}, {{0, 1}, {1}}}, {}).status().message()),
      HasSubstr("group 1 has 2 scores and 1 ratings"));
  EXPECT_THAT(std::string(PairwiseRankingLoss(scores_, {{{0, 5}, {1, 2}}}, {}).status().message()),
              HasSubstr("names score 5 of 5"));
}

}  // namespace
}  // namespace trainyard::model
