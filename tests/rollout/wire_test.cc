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
