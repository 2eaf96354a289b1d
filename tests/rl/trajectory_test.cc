#include "rl/trajectory.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace trainyard::rl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Trajectory Simple(int64_t row = 1, int64_t sample = 0) {
  return {.row = row,
          .sample = sample,
          .token_ids = {5, 6, 7, 8},
          .spans = {{0, 2, SpanSource::kPrompt, false, 0}, {2, 4, SpanSource::kModel, true, 3}},
          .log_probs = {-1, -2},
          .log_kept_mass = {0, 0}};
}

TEST(TrajectoryTest, TrainedTokensSkipPromptAndEnvironment) {
  Trajectory trajectory = Simple();
  trajectory.token_ids = {1, 2, 3, 4, 5, 6};
  trajectory.spans = {{0, 1, SpanSource::kPrompt, false, 0},
                      {1, 3, SpanSource::kModel, true, 0},
                      {3, 4, SpanSource::kEnvironment, false, 0},
                      {4, 6, SpanSource::kModel, true, 0}};
  EXPECT_THAT(TrainedTokens(trajectory), ElementsAre(1, 2, 4, 5));
}

TEST(TrajectoryTest, EachDefectIsNamed) {
  EXPECT_TRUE(ValidateTrajectory(Simple(), 10).ok());
  Trajectory gap = Simple();
  gap.spans[1].begin = 3;
  EXPECT_THAT(ValidateTrajectory(gap, 10).message(), HasSubstr("row 1 sample 0: span [3, 4)"));
  Trajectory short_log_probs = Simple();
  short_log_probs.log_probs.pop_back();
  EXPECT_THAT(ValidateTrajectory(short_log_probs, 10).message(), HasSubstr("1 log-probs"));
  Trajectory not_finite = Simple();
  not_finite.log_probs[1] = NAN;
  EXPECT_THAT(ValidateTrajectory(not_finite, 10).message(), HasSubstr("log-prob 1"));
  Trajectory trained_prompt = Simple();
  trained_prompt.spans[0].train = true;
  EXPECT_THAT(ValidateTrajectory(trained_prompt, 10).message(), HasSubstr("not the model's"));
  EXPECT_THAT(ValidateTrajectory(Simple(), 8).message(), HasSubstr("token id 8"));
}

TEST(TrajectoryTest, CanonicalOrderIsByRowThenSampleAndRefusesTwins) {
  std::vector<Trajectory> trajectories = {Simple(2, 0), Simple(1, 1), Simple(1, 0)};
  ASSERT_TRUE(SortCanonically(trajectories).ok());
  EXPECT_EQ(trajectories[0].sample, 0);
  EXPECT_EQ(trajectories[1].sample, 1);
  EXPECT_EQ(trajectories[2].row, 2);
  trajectories.push_back(Simple(1, 1));
  EXPECT_THAT(SortCanonically(trajectories).message(), HasSubstr("twice"));
}

TEST(TrajectoryTest, DigestSeesEveryFieldThatTrainingReads) {
  const std::string digest = DigestTrajectories({Simple()});
  EXPECT_EQ(digest, DigestTrajectories({Simple()}));
  Trajectory reward = Simple(), token = Simple(), finish = Simple(), log_prob = Simple();
  reward.reward = 1e-9;
  token.token_ids[3] = 9;
  finish.finish = FinishReason::kLength;
  log_prob.log_probs[0] = -1.0000001f;
  for (const Trajectory& changed : {reward, token, finish, log_prob}) {
    EXPECT_NE(digest, DigestTrajectories({changed}));
  }
}

}  // namespace
}  // namespace trainyard::rl
