#include "rl/iteration_targets.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace trainyard::rl {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;

Trajectory Answer(int64_t row, int64_t tokens, double reward) {
  Trajectory trajectory;
  trajectory.row = row;
  trajectory.token_ids.assign(1 + tokens, 4);
  trajectory.spans = {{0, 1, SpanSource::kPrompt, false, 0},
                      {1, 1 + tokens, SpanSource::kModel, true, 0}};
  trajectory.log_probs.assign(tokens, -1.0f);
  trajectory.log_kept_mass.assign(tokens, 0.0f);
  trajectory.reward = reward;
  return trajectory;
}

// Two answers, gamma 1, lambda 1, beta 0.5: everything can be followed with a pencil.
struct Example {
  std::vector<Trajectory> trajectories = {Answer(0, 2, 2.0), Answer(1, 1, -1.0)};
  TokenScalars scalars{.old_log_probs = {-1, -1, -2},
                       .reference_log_probs = {-1.2, -1, -1},
                       .old_values = {0.5, 1, 0}};
  TargetOptions options{.gae = {.gamma = 1, .lambda = 1}, .beta = 0.5, .whiten_advantages = false};
};

TEST(IterationTargetsTest, RewardsAdvantagesAndReturnsByHand) {
  Example e;
  const auto targets = ComputeTargets(e.trajectories, e.scalars, e.options);
  ASSERT_TRUE(targets.ok()) << targets.status();
  // Token rewards: (-.1, 2), (.5 - 1). Lambda 1: A = return - V.
  EXPECT_THAT(targets->returns, ElementsAre(DoubleNear(1.9, 1e-12), DoubleNear(2, 1e-12),
                                            DoubleNear(-0.5, 1e-12)));
  EXPECT_THAT(targets->advantages, ElementsAre(DoubleNear(1.4, 1e-12), DoubleNear(1, 1e-12),
                                               DoubleNear(-0.5, 1e-12)));
  EXPECT_NEAR(targets->kl_k1, (0.2 - 1) / 2, 1e-12);
  EXPECT_NEAR(targets->metrics.at("reward"), 0.5, 1e-12);
  EXPECT_NEAR(targets->metrics.at("reward_after_kl"), (1.9 - 0.5) / 2, 1e-12);
  EXPECT_NEAR(targets->metrics.at("rollout_gap"), 1.0 / 3, 1e-12);
  EXPECT_NEAR(targets->metrics.at("rollout_gap_max"), 1, 1e-12);
}

TEST(IterationTargetsTest, ReturnsComeFromAdvantagesBeforeWhitening) {
  Example e;
  const auto plain = ComputeTargets(e.trajectories, e.scalars, e.options);
  e.options.whiten_advantages = true;
  const auto white = ComputeTargets(e.trajectories, e.scalars, e.options);
  EXPECT_EQ(plain->returns, white->returns);
  double mean = 0, square = 0;
  for (double a : white->advantages) {
    mean += a / 3;
    square += a * a / 3;
  }
  EXPECT_NEAR(mean, 0, 1e-12);
  EXPECT_NEAR(square, 1, 1e-7);
}

TEST(IterationTargetsTest, AnExcludedRowChangesNothingForTheOthers) {
  Example e;
  e.options.whiten_advantages = true;
  const auto without = ComputeTargets(e.trajectories, e.scalars, e.options);
  e.trajectories.push_back(Answer(2, 3, 1e6));
  e.trajectories.back().status = ScoreStatus::kRejected;
  for (auto* values : {&e.scalars.old_log_probs, &e.scalars.reference_log_probs,
                       &e.scalars.old_values}) {
    values->insert(values->end(), {0, 0, 0});
  }
  const auto with = ComputeTargets(e.trajectories, e.scalars, e.options);
  ASSERT_TRUE(with.ok()) << with.status();
  for (int t = 0; t < 3; ++t) {
    EXPECT_EQ(with->advantages[t], without->advantages[t]);
    EXPECT_EQ(with->returns[t], without->returns[t]);
    EXPECT_FALSE(with->token_mask[3 + t]);
    EXPECT_EQ(with->advantages[3 + t], 0);
  }
  EXPECT_EQ(with->kl_k1, without->kl_k1);
  EXPECT_EQ(with->metrics.at("reward"), without->metrics.at("reward"));
}

TEST(IterationTargetsTest, MaskOutTakesAnswersWithoutEndAway) {
  Example e;
  e.trajectories[1].finish = FinishReason::kLength;
  e.options.reward.no_end_rule = NoEndRule::kMaskOut;
  const auto targets = ComputeTargets(e.trajectories, e.scalars, e.options);
  EXPECT_EQ(targets->samples, 1);
  EXPECT_THAT(ExclusionReasons(e.trajectories, NoEndRule::kMaskOut), ElementsAre("", "NO_END"));
  EXPECT_THAT(ExclusionReasons(e.trajectories, NoEndRule::kConstant), ElementsAre("", ""));
}

TEST(IterationTargetsTest, WhatIsNotFiniteIsNamed) {
  Example e;
  e.scalars.old_values[2] = NAN;
  EXPECT_THAT(ComputeTargets(e.trajectories, e.scalars, e.options).status().message(),
              HasSubstr("value of ledger row 1 sample 0 at answer token 0"));
  Example score;
  score.trajectories[0].reward = INFINITY;
  EXPECT_THAT(ComputeTargets(score.trajectories, score.scalars, score.options).status().message(),
              HasSubstr("score of ledger row 0"));
}

TEST(IterationTargetsTest, NothingLeftIsAnErrorNotAZero) {
  Example e;
  for (Trajectory& trajectory : e.trajectories) trajectory.status = ScoreStatus::kRejected;
  EXPECT_FALSE(ComputeTargets(e.trajectories, e.scalars, e.options).ok());
}

}  // namespace
}  // namespace trainyard::rl
