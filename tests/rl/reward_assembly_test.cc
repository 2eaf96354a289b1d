#include "rl/reward_assembly.h"

#include "gtest/gtest.h"

namespace trainyard::rl {
namespace {

TEST(RewardAssemblyTest, ScoresAreNormalisedThenClipped) {
  const RewardOptions options{.mean = 2, .std = 0.5, .clip = 3};
  EXPECT_DOUBLE_EQ(AnswerReward(2.5, true, options), 1);
  EXPECT_DOUBLE_EQ(AnswerReward(9.0, true, options), 3);
  EXPECT_DOUBLE_EQ(AnswerReward(-9.0, true, options), -3);
}

TEST(RewardAssemblyTest, AnswersWithoutAnEndFollowTheRule) {
  RewardOptions options{.clip = 3, .no_end_rule = NoEndRule::kConstant, .no_end_value = -1};
  EXPECT_DOUBLE_EQ(AnswerReward(7, false, options), -1);
  options.no_end_rule = NoEndRule::kSubtract;
  EXPECT_DOUBLE_EQ(AnswerReward(7, false, options), 2);
  options.no_end_value = 1;  // the sign is the rule's
  EXPECT_DOUBLE_EQ(AnswerReward(7, false, options), 2);
  EXPECT_DOUBLE_EQ(AnswerReward(7, true, options), 3);
}

TEST(RewardAssemblyTest, KlIsPaidOnEveryTokenAndTheScoreOnTheLast) {
  std::vector<double> rewards(3);
  TokenRewards(2.0, 0.1, {-1, -2, -3}, {-1.5, -2, -1}, absl::MakeSpan(rewards));
  EXPECT_DOUBLE_EQ(rewards[0], -0.05);
  EXPECT_DOUBLE_EQ(rewards[1], 0);
  EXPECT_DOUBLE_EQ(rewards[2], 0.2 + 2.0);
}

}  // namespace
}  // namespace trainyard::rl
