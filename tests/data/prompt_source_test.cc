#include "data/prompt_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/data/fixture.h"

namespace trainyard::data {
namespace {

using ::testing::HasSubstr;

class PromptSourceTest : public DataTest {
 protected:
  PromptSpec Spec(const std::string& rows) const {
    PromptSpec spec;
    spec.sources = {Source("prompts.jsonl", rows)};
    spec.seed = 3;
    return spec;
  }
  absl::StatusOr<std::unique_ptr<PromptSource>> Load(const PromptSpec& spec) const {
    return PromptSource::Load(spec, *tokenizer_, template_.get());
  }
};

TEST_F(PromptSourceTest, APromptEndsWithTheAssistantsPrefix) {
  const auto source = Load(Spec(R"({"prompt": "hi", "answer": "42"})"));
  ASSERT_TRUE(source.ok()) << source.status();
  const Prompt& prompt = (*source)->At(0);
  EXPECT_EQ(Text(prompt.token_ids), "<|user|>hi<|assistant|>");
  EXPECT_EQ(prompt.text, "hi");
  EXPECT_THAT(prompt.json, HasSubstr("\"42\""));
}

TEST_F(PromptSourceTest, TheLastAnswerOfAConversationIsNotShown) {
  const auto source = Load(Spec(R"({"messages": [{"role": "user", "content": "a"},)"
                                R"({"role": "assistant", "content": "b"},)"
                                R"({"role": "user", "content": "c"},)"
                                R"({"role": "assistant", "content": "d"}]})"));
  EXPECT_EQ(Text((*source)->At(0).token_ids),
            "<|user|>a<|assistant|>b<|end|><|user|>c<|assistant|>");
}

TEST_F(PromptSourceTest, EachPassIsAnotherPermutationAndAnyPositionIsKnownAtOnce) {
  const auto source = *Load(Spec(ConversationRows(40)));
  std::vector<int64_t> first, second;
  for (int64_t position = 0; position < 80; ++position) {
    (position < 40 ? first : second).push_back(source->At(position).row);
  }
  EXPECT_NE(first, second);
  EXPECT_EQ(std::set<int64_t>(first.begin(), first.end()).size(), 40);
  EXPECT_EQ(std::set<int64_t>(second.begin(), second.end()).size(), 40);
  const auto resumed = *Load(Spec(ConversationRows(40)));
  EXPECT_EQ(resumed->At(63).row, second[23]);
  EXPECT_EQ(resumed->At(7).row, first[7]);
  EXPECT_EQ(resumed->fingerprint(), source->fingerprint());
}

TEST_F(PromptSourceTest, LongPromptsAreDroppedAndKeepTheirNumbersOrRefused) {
  PromptSpec spec = Spec("{\"prompt\": \"far too long\"}\n{\"prompt\": \"ok\"}\n");
  spec.max_tokens = 6;
  const auto source = *Load(spec);
  EXPECT_EQ(source->count(), 1);
  EXPECT_EQ(source->dropped_too_long(), 1);
  EXPECT_EQ(source->FindRow(0), nullptr);
  EXPECT_EQ(source->FindRow(1)->text, "ok");
  spec.too_long = TooLong::kRefuse;
  EXPECT_THAT(std::string(Load(spec).status().message()),
              HasSubstr("prompts.jsonl:1: the prompt has 14 tokens, the limit is 6"));
  spec.max_tokens = 2;
  spec.too_long = TooLong::kDrop;
  EXPECT_THAT(std::string(Load(spec).status().message()), HasSubstr("no prompt is left"));
}

TEST_F(PromptSourceTest, WithoutATemplateAPromptIsItsText) {
  PromptSpec spec = Spec("{\"prompt\": \"b\"}\n{\"prompt\": \"a\"}\n");
  spec.shuffle = false;
  const auto source = *PromptSource::Load(spec, *tokenizer_, nullptr);
  EXPECT_EQ(Text(source->At(0).token_ids), "b");
  EXPECT_EQ(Text(source->At(3).token_ids), "a");
}

}  // namespace
}  // namespace trainyard::data
