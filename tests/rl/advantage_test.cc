#include "rl/advantage.h"

#include <vector>

#include "gtest/gtest.h"

namespace trainyard::rl {
namespace {

std::vector<double> Gae(const std::vector<double>& rewards, const std::vector<double>& values,
                        GaeOptions options) {
  std::vector<double> advantages(rewards.size());
  GeneralisedAdvantages(rewards, values, options, absl::MakeSpan(advantages));
  return advantages;
}

TEST(AdvantageTest, MatchesTheRecursionWorkedByHand) {
  // delta = (1 + .9*.5 - .2, 0 + .9*-.1 - .5, 2 - -.1) = (1.25, -.59, 2.1); gamma lambda = .72.
  const auto advantages = Gae({1, 0, 2}, {0.2, 0.5, -0.1}, {.gamma = 0.9, .lambda = 0.8});
  EXPECT_NEAR(advantages[2], 2.1, 1e-12);
  EXPECT_NEAR(advantages[1], -0.59 + 0.72 * 2.1, 1e-12);
  EXPECT_NEAR(advantages[0], 1.25 + 0.72 * (-0.59 + 0.72 * 2.1), 1e-12);
}

TEST(AdvantageTest, LambdaOneIsTheReturnMinusTheValue) {
  const auto advantages = Gae({0, 0, 3}, {1, 2, 4}, {.gamma = 1, .lambda = 1});
  EXPECT_EQ(advantages, (std::vector<double>{2, 1, -1}));
}

TEST(AdvantageTest, LambdaZeroIsTheOneStepError) {
  const auto advantages = Gae({0, 0, 3}, {1, 2, 4}, {.gamma = 1, .lambda = 0});
  EXPECT_EQ(advantages, (std::vector<double>{1, 2, -1}));
}

TEST(AdvantageTest, OneTokenAndNoneAreFine) {
  EXPECT_EQ(Gae({5}, {2}, {}), (std::vector<double>{3}));
  EXPECT_TRUE(Gae({}, {}, {}).empty());
}

}  // namespace
}  // namespace trainyard::rl
