#include "eval/task_tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/eval/fake_cluster.h"

namespace trainyard::eval {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int32_t kEnd = 3;

// A token per byte, a context of 64.
class TaskTokensTest : public EvalTest {
 protected:
  TaskTokensTest() : text_(*LoadModelText(directory_ + "/model", directory_ + "/model")) {
    task_.name = "t";
    task_.kind = TaskKind::kMultipleChoice;
    item_.place = "items.jsonl:1";
    item_.choices = {"yes", "no"};
  }
  absl::StatusOr<TaskTokens> Tokens() { return TaskTokens::Create(task_, template_, text_); }
  std::vector<ScoredSequence> Choices(const std::string& context) {
    item_.context = context;
    auto tokens = Tokens();
    if (!tokens.ok()) return {};
    auto choices = tokens->Choices(item_);
    EXPECT_TRUE(choices.ok()) << choices.status();
    cut_ = tokens->items_cut();
    return choices.value_or(std::vector<ScoredSequence>());
  }
  std::string TextFrom(const ScoredSequence& sequence, int32_t begin) const {
    return tokenizer_->Decode(
        {sequence.token_ids.data() + begin, sequence.token_ids.size() - begin},
        tokenizer::SpecialTokens::kKeep);
  }
  std::string Error() {
    auto tokens = Tokens();
    if (!tokens.ok()) return std::string(tokens.status().message());
    return std::string(tokens->Choices(item_).status().message());
  }
  ModelText text_;
  TaskJob task_;
  TaskItem item_;
  std::optional<tokenizer::ChatTemplateSpec> template_;
  int64_t cut_ = 0;
};

TEST_F(TaskTokensTest, TheChoiceIsScoredBehindTheContext) {
  const auto choices = Choices("Answer:");
  ASSERT_EQ(choices.size(), 2u);
  EXPECT_EQ(TextFrom(choices[0], 0), "Answer: yes");
  EXPECT_EQ(choices[0].begin, 7);
  EXPECT_EQ(TextFrom(choices[1], choices[1].begin), " no");
}

TEST_F(TaskTokensTest, WhiteSpaceAtTheEndOfTheContextBelongsToTheChoice) {
  const auto choices = Choices("Answer:\xE3\x80\x80\n");
  EXPECT_EQ(TextFrom(choices[0], choices[0].begin), "\xE3\x80\x80\n yes");
  EXPECT_EQ(choices[0].begin, 7);
}

TEST_F(TaskTokensTest, BeforeAnEmptyContextStandsTheFirstToken) {
  task_.target_delimiter = "";
  const auto choices = Choices("");
  EXPECT_EQ(choices[0].token_ids[0], kEnd) << "the tokenizer has no bos_token";
  EXPECT_EQ(choices[0].begin, 1);
  EXPECT_EQ(TextFrom(choices[0], 1), "yes");
  item_.choices = {"<|end|>yes", "no"};
  EXPECT_EQ(TextFrom(Choices("")[0], 0), "<|end|>yes") << "once, also where a choice says it";
  text_.first_id.reset();
  EXPECT_THAT(Error(), HasSubstr("neither bos_token nor eos_token"));
}

TEST_F(TaskTokensTest, WhatIsTooLongLosesItsFront) {
  const auto fits = Choices(std::string(61, 'x'));
  EXPECT_EQ(fits[0].token_ids.size(), 65u) << "the last token is not read";
  EXPECT_EQ(cut_, 0);
  const auto choices = Choices(std::string(90, 'x') + "y");
  EXPECT_EQ(choices[0].token_ids.size(), 65u);
  EXPECT_EQ(choices[0].begin, 61);
  EXPECT_EQ(TextFrom(choices[0], 60), "y yes");
  EXPECT_EQ(cut_, 1);
}

TEST_F(TaskTokensTest, AChoiceThatCanNotBeScoredIsNamed) {
  item_.context = "Q";
  item_.choices = {std::string(64, 'x'), "no"};
  EXPECT_THAT(Error(), HasSubstr("items.jsonl:1: the choice \" xxx"));
  EXPECT_THAT(Error(), HasSubstr("has 65 tokens, the model's context 64"));
  item_.context = " ";
  EXPECT_THAT(Error(), HasSubstr("white space alone"));
}

TEST_F(TaskTokensTest, AChatIsRenderedAndTheAnswerFollowsWithoutDelimiter) {
  task_.chat = true;
  EXPECT_THAT(Error(), HasSubstr("task \"t\" is a chat: it needs eval.chat_template"));
  template_ = *Prompts(1).chat_template;
  template_->roles["system"] = {"", "\n"};
  item_.system = "Be brief.";
  const auto choices = Choices("Sky?");
  EXPECT_EQ(TextFrom(choices[0], 0), "Be brief.\n<|user|>Sky?<|assistant|>yes");
  EXPECT_EQ(TextFrom(choices[0], choices[0].begin), "yes");
}

TEST_F(TaskTokensTest, APromptLeavesRoomForItsAnswer) {
  task_.kind = TaskKind::kExactMatch;
  task_.max_new_tokens = 60;
  item_.context = "abcdefgh";
  auto tokens = *Tokens();
  EXPECT_EQ(tokenizer_->Decode(*tokens.Prompt(item_), tokenizer::SpecialTokens::kKeep), "efgh");
  EXPECT_EQ(tokens.items_cut(), 1);
  item_.context = "";
  EXPECT_THAT(std::string(tokens.Prompt(item_).status().message()),
              HasSubstr("items.jsonl:1: the prompt is empty"));
  task_.max_new_tokens = 64;
  EXPECT_THAT(std::string(Tokens().status().message()),
              HasSubstr("max_new_tokens is 64, the model's context 64 tokens"));
}

TEST_F(TaskTokensTest, AnswersAreGreedyAndEndAtTheTasksStrings) {
  task_.kind = TaskKind::kExactMatch;
  task_.max_new_tokens = 9;
  task_.stop = {"\n", "Q:"};
  const auto sampling = Tokens()->HowToAnswer(*AnswerRule::Create(task_));
  ASSERT_TRUE(sampling.ok()) << sampling.status();
  EXPECT_EQ(sampling->temperature, 0);
  EXPECT_EQ(sampling->max_new_tokens, 9);
  EXPECT_EQ(sampling->samples, 1);
  EXPECT_THAT(sampling->stop_strings, ElementsAre("\n", "Q:"));
  EXPECT_THAT(sampling->end_ids, ElementsAre(kEnd));
}

}  // namespace
}  // namespace trainyard::eval
