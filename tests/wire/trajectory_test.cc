#include "wire/trajectory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trainyard::wire {
namespace {

using ::testing::HasSubstr;

rl::Trajectory Sample() {
  rl::Trajectory sample;
  sample.row = 12;
  sample.sample = 3;
  sample.token_ids = {5, 6, 7, 8};
  sample.spans = {{0, 2, rl::SpanSource::kPrompt, false, 0},
                  {2, 3, rl::SpanSource::kModel, true, 9},
                  {3, 4, rl::SpanSource::kEnvironment, false, 0}};
  sample.log_probs = {-0.5F};
  sample.log_kept_mass = {-0.25F};
  sample.finish = rl::FinishReason::kLength;
  sample.scores = {{"rm", 3, 0.75, rl::ScoreStatus::kOk}};
  sample.reward = 0.75;
  return sample;
}

TEST(TrajectoryWire, WhatTrainingReadsSurvives) {
  const rl::Trajectory sample = Sample();
  const auto back = ScoredFromWire(TrajectoryToWire(sample));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(rl::DigestTrajectories({*back}), rl::DigestTrajectories({sample}));
  EXPECT_EQ(back->finish, rl::FinishReason::kLength);
  EXPECT_EQ(back->spans[1].policy_version, 9);
  EXPECT_EQ(back->reward, 0.75);
}

TEST(TrajectoryWire, AFailedScoreIsAStatusAndNeverAZero) {
  for (const rl::ScoreStatus status :
       {rl::ScoreStatus::kTimeout, rl::ScoreStatus::kVerifierError, rl::ScoreStatus::kModelError,
        rl::ScoreStatus::kRejected}) {
    rl::Trajectory sample = Sample();
    sample.status = status;
    const v1::Trajectory wire = TrajectoryToWire(sample);
    EXPECT_FALSE(wire.has_score());
    const auto back = ScoredFromWire(wire);
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(back->status, status);
  }
}

TEST(TrajectoryWire, AnOkWithoutAScoreIsRefused) {
  v1::Trajectory wire = TrajectoryToWire(Sample());
  wire.clear_score();
  const auto back = ScoredFromWire(wire);
  EXPECT_TRUE(absl::IsInvalidArgument(back.status()));
  EXPECT_THAT(std::string(back.status().message()), HasSubstr("ledger row 12 sample 3"));
}

TEST(TrajectoryWire, WhatIsUnknownIsNamed) {
  v1::Trajectory wire = TrajectoryToWire(Sample());
  wire.set_finish(v1::FINISH_ABORTED);
  EXPECT_THAT(std::string(AnswerFromWire(wire).status().message()), HasSubstr("finish is"));
  wire = TrajectoryToWire(Sample());
  wire.mutable_spans(1)->set_source(v1::Span::SOURCE_UNSPECIFIED);
  EXPECT_THAT(std::string(AnswerFromWire(wire).status().message()), HasSubstr("source of a span"));
  wire = TrajectoryToWire(Sample());
  wire.set_score_status(v1::SCORE_STATUS_UNSPECIFIED);
  EXPECT_TRUE(AnswerFromWire(wire).ok()) << "an answer has no score yet";
  EXPECT_THAT(std::string(ScoredFromWire(wire).status().message()), HasSubstr("score status is"));
}

TEST(TrajectoryWire, AnEndAndAStopAreBothTheModelsOwnEnd) {
  v1::Trajectory wire = TrajectoryToWire(Sample());
  for (const v1::FinishReason finish : {v1::FINISH_END, v1::FINISH_STOP}) {
    wire.set_finish(finish);
    EXPECT_EQ(AnswerFromWire(wire)->finish, rl::FinishReason::kStop);
  }
}

TEST(TrajectoryWire, APlanSurvivesWithItsEmptyShares) {
  rl::IterationPlan plan;
  plan.passes = {{{10, {{0, 2}, {1}}}, {4, {{3}, {}}}}, {{14, {{}, {3, 1}}}}};
  const rl::IterationPlan back = PlanFromWire(PlanToWire(plan));
  ASSERT_EQ(back.passes.size(), 2);
  ASSERT_EQ(back.passes[0].size(), 2);
  EXPECT_EQ(back.passes[0][0].trained_tokens, 10);
  EXPECT_EQ(back.passes[0][0].shares, plan.passes[0][0].shares);
  EXPECT_EQ(back.passes[0][1].shares, plan.passes[0][1].shares);
  EXPECT_EQ(back.passes[1][0].shares, plan.passes[1][0].shares);
}

}  // namespace
}  // namespace trainyard::wire
