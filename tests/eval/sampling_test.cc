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
  text.forbidden_tokens = {"<|nobody|>"};
  EXPECT_EQ(BindSampling(text, 3, *tokenizer_).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(SamplingTest, TheDescriptionFollowsWhatChangesATokenOnly) {
  Sampling a;
  Sampling b = a;
  EXPECT_EQ(Describe(a), Describe(b));
  b.seed = 1;
  EXPECT_NE(Describe(a), Describe(b));
}

}  // namespace
}  // namespace trainyard::eval
