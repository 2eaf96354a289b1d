#include "eval/sampling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/eval/fake_cluster.h"

namespace trainyard::eval {
namespace {

using ::testing::ElementsAre;

using SamplingTest = EvalTest;

TEST_F(SamplingTest, TokensBecomeIdsAndTheEndOfTurnComesFirst) {
  SamplingText text;
  text.forbidden_tokens = {"<|pad|>", "<|user|>"};
  text.stop_tokens = {"<|assistant|>"};
  const auto sampling = BindSampling(text, 3, *tokenizer_);
  ASSERT_TRUE(sampling.ok()) << sampling.status();
  EXPECT_THAT(sampling->forbidden_ids, ElementsAre(0, 1));
  EXPECT_THAT(sampling->end_ids, ElementsAre(3, 2));
  text.logit_bias = {{"a", -2.5}};
  text.allowed_tokens = {"a", "<|user|>"};
  const auto decoding = BindSampling(text, 3, *tokenizer_);
  ASSERT_TRUE(decoding.ok()) << decoding.status();
  const int32_t a = tokenizer_->Encode("a")[0];
  EXPECT_THAT(decoding->logit_bias, ElementsAre(std::pair(a, -2.5)));
  EXPECT_THAT(decoding->allowed_ids, ElementsAre(a, 1));
  text.forbidden_tokens = {"<|nobody|>"};
  EXPECT_EQ(BindSampling(text, 3, *tokenizer_).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(SamplingTest, WhatNoServerScoresIsNamed) {
  Sampling sampling;
  sampling.top_p = 0.5;
  sampling.repetition_penalty = 1;
  EXPECT_EQ(UnscoredField(sampling), "");
  sampling.best_of = 4;
  EXPECT_EQ(UnscoredField(sampling), "best_of");
  sampling.repetition_penalty = 1.2;
  EXPECT_EQ(UnscoredField(sampling), "repetition_penalty");
}

TEST_F(SamplingTest, TheDescriptionFollowsWhatChangesATokenOnly) {
  Sampling a;
  Sampling b = a;
  EXPECT_EQ(Describe(a), Describe(b));
  b.seed = 1;
  EXPECT_NE(Describe(a), Describe(b));
  b = a;
  b.logit_bias = {{1, 0.5}};
  EXPECT_NE(Describe(a), Describe(b));
  b = a;
  b.beam.early_stopping = "never";
  EXPECT_NE(Describe(a), Describe(b));
}

}  // namespace
}  // namespace trainyard::eval
