#include "rollout/wire.h"

#include <gtest/gtest.h>

namespace trainyard::rollout {
namespace {

TEST(Wire, WhatARequestLeavesOutTakesItsDefault) {
  v1::GenerateRequest wire;
  wire.mutable_sampling()->set_max_new_tokens(4);
  wire.add_prompts()->add_token_ids(3);
  const auto requests = ReadGenerate(wire, {{7, 8}});
  ASSERT_TRUE(requests.ok());
  ASSERT_EQ(requests->size(), 1u);
  EXPECT_EQ((*requests)[0].n, 1);
  EXPECT_EQ((*requests)[0].sampling.top_p, 1);
  EXPECT_EQ((*requests)[0].sampling.end_ids, (std::vector<int32_t>{7, 8}));
  EXPECT_EQ((*requests)[0].on_swap, OnSwap::kFinishOld);
  wire.mutable_sampling()->add_end_ids(2);
  EXPECT_EQ((*ReadGenerate(wire, {{7, 8}}))[0].sampling.end_ids, std::vector<int32_t>{2});
}

TEST(Wire, EveryFieldOfSamplingIsRead) {
  v1::GenerateRequest wire;
  wire.add_prompts();
  v1::SamplingParameters& given = *wire.mutable_sampling();
  SamplingParameters read = (*ReadGenerate(wire, {}))[0].sampling;
  EXPECT_EQ(read.typical_p, 1);
  EXPECT_EQ(read.repetition_penalty, 1);
  EXPECT_EQ(read.beam.width, 0);
  given.set_min_p(0.1);
  given.set_typical_p(0.2);
  given.set_repetition_penalty(1.3);
  given.set_presence_penalty(0.4);
  given.set_frequency_penalty(0.5);
  given.add_logit_bias()->set_token_id(6);
  given.mutable_logit_bias(0)->set_bias(-7);
  given.add_allowed_ids(8);
  given.set_best_of(9);
  given.mutable_beam()->set_width(3);
  given.mutable_beam()->set_length_penalty(-0.5);
  given.mutable_beam()->set_early_stopping(v1::BeamSearch::NEVER);
  read = (*ReadGenerate(wire, {}))[0].sampling;
  EXPECT_EQ(read.min_p, 0.1);
  EXPECT_EQ(read.typical_p, 0.2);
  EXPECT_EQ(read.repetition_penalty, 1.3);
  EXPECT_EQ(read.presence_penalty, 0.4);
  EXPECT_EQ(read.frequency_penalty, 0.5);
  ASSERT_EQ(read.logit_bias.size(), 1u);
  EXPECT_EQ(read.logit_bias[0].id, 6);
  EXPECT_EQ(read.logit_bias[0].bias, -7);
  EXPECT_EQ(read.allowed_ids, std::vector<int32_t>{8});
  EXPECT_EQ(read.best_of, 9);
  EXPECT_EQ(read.beam.width, 3);
  EXPECT_EQ(read.beam.length_penalty, -0.5);
  EXPECT_EQ(read.beam.early_stopping, EarlyStopping::kNever);
  given.mutable_beam()->set_width(0);
  EXPECT_TRUE(absl::IsInvalidArgument(ReadGenerate(wire, {}).status()));
}

TEST(Wire, AnAbortedAnswerIsNeverTrainedOn) {
  Completion completion;
  completion.token_ids = {5, 6, 7};
  completion.logprobs = {-1, -2, -3};
  completion.log_kept_mass = {0, 0, 0};
  completion.spans = {{0, 2, 4}, {2, 3, 5}};
  completion.finish = FinishReason::kAborted;
  v1::Trajectory wire = WriteTrajectory({1, 2}, completion);
  ASSERT_EQ(wire.spans_size(), 3);
  EXPECT_FALSE(wire.spans(1).train());
  EXPECT_EQ(wire.finish(), v1::FINISH_ABORTED);
  completion.finish = FinishReason::kEnd;
  wire = WriteTrajectory({1, 2}, completion);
  EXPECT_TRUE(wire.spans(2).train());
  EXPECT_EQ(wire.spans(2).begin(), 4);
  EXPECT_EQ(wire.spans(2).end(), 5);
  EXPECT_EQ(wire.spans(2).policy_version(), 5);
  EXPECT_EQ(wire.token_ids_size(), 5);
}

TEST(Wire, AFormOfWeightsThatIsNotFullIsSeen) {
  v1::WeightsManifest wire;
  EXPECT_TRUE(ReadManifest(wire).full);
  wire.set_form(v1::WeightsManifest::LORA);
  EXPECT_FALSE(ReadManifest(wire).full);
}

}  // namespace
}  // namespace trainyard::rollout
