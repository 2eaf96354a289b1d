#include "eval/prompts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/eval/fake_cluster.h"

namespace trainyard::eval {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PromptsTest : public EvalTest {
 protected:
  ModelText Text() const {
    const auto text = LoadModelText(directory_ + "/model", directory_ + "/model");
    EXPECT_TRUE(text.ok()) << text.status();
    return *text;
  }
};

TEST_F(PromptsTest, ReadsTokenizerEndAndContextOfAModel) {
  const ModelText text = Text();
  EXPECT_EQ(text.end_id, 3);
  EXPECT_EQ(text.context_tokens, 64);
  EXPECT_EQ(text.tokenizer->hash(), tokenizer_->hash());
  EXPECT_EQ(LoadModelText(directory_, directory_).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(PromptsTest, WithoutALimitTheFilesOrderHoldsWithOneTheyAreShuffled) {
  PromptJob job = Prompts(1);
  const auto all = PreparePrompts(job, Text());
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_EQ(all->prompts.size(), 10);
  EXPECT_EQ(all->prompts[4]->text, "p4");
  EXPECT_THAT(all->sampling.end_ids, ElementsAre(3));
  job.limit = 6;
  job.shuffle_seed = 1;
  const auto some = PreparePrompts(job, Text());
  ASSERT_EQ(some->prompts.size(), 6);
  bool moved = false;
  for (int i = 0; i < 6; ++i) moved = moved || some->prompts[i]->row != i;
  EXPECT_TRUE(moved);
}

TEST_F(PromptsTest, PromptsThatLeaveNoRoomForAnAnswerAreRefused) {
  PromptJob job = Prompts(1);
  job.sampling.max_new_tokens = 61;
  EXPECT_THAT(std::string(PreparePrompts(job, Text()).status().message()),
              HasSubstr("prompts.jsonl:1: the prompt has 4 tokens, the limit is 3"));
  job.sampling.max_new_tokens = 64;
  EXPECT_THAT(std::string(PreparePrompts(job, Text()).status().message()),
              HasSubstr("no room is left for a prompt"));
}

}  // namespace
}  // namespace trainyard::eval
