#include "ppo/wire.h"

#include "gtest/gtest.h"
#include "wire/trajectory.h"

namespace trainyard::ppo {
namespace {

v1::Trajectory Answer() {
  rl::Trajectory answer;
  answer.row = 4;
  answer.token_ids = {1, 2};
  answer.spans = {{0, 1, rl::SpanSource::kPrompt, false, 0},
                  {1, 2, rl::SpanSource::kModel, true, 3}};
  answer.log_probs = {-1};
  answer.log_kept_mass = {0};
  return wire::TrajectoryToWire(answer);
}

v1::ScoreResult Result(v1::ScoreStatus status) {
  v1::ScoreResult result;
  result.set_row(4);
  result.set_status(status);
  return result;
}

TEST(PpoWireTest, AnAnswerThatWasAbortedIsToBeDrawnAgain) {
  v1::Trajectory answer = Answer();
  EXPECT_TRUE(AnswerFromWire(answer).ok());
  answer.set_finish(v1::FINISH_ABORTED);
  EXPECT_TRUE(absl::IsUnavailable(AnswerFromWire(answer).status()));
}

TEST(PpoWireTest, AnAnswerThatIsNoneIsOurFaultAndNotTheUsers) {
  v1::Trajectory answer = Answer();
  answer.set_finish(v1::FINISH_UNSPECIFIED);
  EXPECT_TRUE(absl::IsInternal(AnswerFromWire(answer).status()));
}

TEST(PpoWireTest, AScoreWithItsComponentsIsTakenOver) {
  v1::ScoreResult result = Result(v1::SCORE_OK);
  result.set_score(0.5);
  v1::ComponentScore* component = result.add_components();
  component->set_component("rm");
  component->set_at_token(1);
  component->set_raw(2.5);
  component->set_status(v1::SCORE_OK);
  rl::Trajectory trajectory;
  trajectory.scores = {{"of an earlier try", 0, 9, rl::ScoreStatus::kOk}};
  ASSERT_TRUE(ApplyScore(result, trajectory).ok());
  EXPECT_EQ(trajectory.status, rl::ScoreStatus::kOk);
  EXPECT_EQ(trajectory.reward, 0.5);
  ASSERT_EQ(trajectory.scores.size(), 1);
  EXPECT_EQ(trajectory.scores[0].component, "rm");
  EXPECT_EQ(trajectory.scores[0].raw, 2.5);
}

TEST(PpoWireTest, AnOkWithoutAScoreIsNoZero) {
  rl::Trajectory trajectory;
  EXPECT_TRUE(absl::IsInternal(ApplyScore(Result(v1::SCORE_OK), trajectory)));
  EXPECT_TRUE(absl::IsInternal(ApplyScore(Result(v1::SCORE_STATUS_UNSPECIFIED), trajectory)));
  EXPECT_TRUE(ApplyScore(Result(v1::SCORE_TIMEOUT), trajectory).ok());
  EXPECT_EQ(trajectory.status, rl::ScoreStatus::kTimeout);
}

TEST(PpoWireTest, EveryFieldOfSamplingIsTold) {
  Sampling sampling;
  sampling.temperature = 0.7;
  sampling.top_k = 5;
  sampling.top_p = 0.9;
  sampling.min_p = 0.05;
  sampling.typical_p = 0.8;
  sampling.max_new_tokens = 12;
  sampling.min_new_tokens = 3;
  sampling.forbidden_ids = {1, 2};
  sampling.end_ids = {3};
  sampling.stop_strings = {"\n"};
  sampling.ignore_eos = true;
  const v1::SamplingParameters wire = SamplingToWire(sampling);
  EXPECT_EQ(wire.temperature(), 0.7);
  EXPECT_EQ(wire.top_k(), 5);
  EXPECT_EQ(wire.top_p(), 0.9);
  EXPECT_EQ(wire.min_p(), 0.05);
  EXPECT_EQ(wire.typical_p(), 0.8);
  EXPECT_EQ(wire.max_new_tokens(), 12);
  EXPECT_EQ(wire.min_new_tokens(), 3);
  EXPECT_EQ(wire.forbidden_ids_size(), 2);
  EXPECT_EQ(wire.end_ids(0), 3);
  EXPECT_EQ(wire.stop_strings(0), "\n");
  EXPECT_TRUE(wire.ignore_eos());
}

}  // namespace
}  // namespace trainyard::ppo
