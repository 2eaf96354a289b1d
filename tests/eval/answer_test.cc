#include "eval/answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/row.h"

namespace trainyard::eval {
namespace {

data::Prompt PromptOf(const std::string& json) {
  data::Prompt prompt;
  prompt.row = 7;
  prompt.text = "q";
  prompt.json = json;
  return prompt;
}

AnsweredRow TwoAnswers() {
  AnsweredRow row{7, {}};
  row.answers.push_back({"one", {5, 6, 3}, -1.5, Finish::kEnd, 2.0, ""});
  row.answers.push_back({"two", {5}, -0.5, Finish::kLength, std::nullopt, "TIMEOUT: slow"});
  return row;
}

TEST(AnswerTest, RoundTripsThroughItsRow) {
  const Json json = ToJson(TwoAnswers(), PromptOf(R"({"prompt": "q"})"));
  const auto again = AnsweredRowFromJson(json, "answers.jsonl");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->row, 7);
  EXPECT_EQ(again->answers[0].token_ids, (std::vector<int32_t>{5, 6, 3}));
  EXPECT_EQ(again->answers[0].score, 2.0);
  EXPECT_EQ(again->answers[0].finish, Finish::kEnd);
  EXPECT_EQ(again->answers[1].score, std::nullopt);
  EXPECT_EQ(again->answers[1].score_error, "TIMEOUT: slow");
}

TEST(AnswerTest, ARewardModelJobReadsTheRowsBack) {
  const auto row = data::ParseRow(
      ToJson(TwoAnswers(), PromptOf(R"({"prompt": "raw", "response": "r", "group": "film"})"))
          .dump());
  ASSERT_TRUE(row.ok()) << row.status();
  EXPECT_EQ(row->messages[0].content, "q");
  EXPECT_EQ(row->group, "film");
  EXPECT_EQ(row->answers[1].text, "two");
  EXPECT_FALSE(row->response.has_value());
}

TEST(AnswerTest, ConversationsKeepTheirMessagesButTheLastAnswer) {
  const Json json =
      ToJson(TwoAnswers(), PromptOf(R"({"messages": [{"role": "user", "content": "a"},)"
                                    R"({"role": "assistant", "content": "b"}], "answer": "42"})"));
  EXPECT_EQ(json["messages"].size(), 1);
  EXPECT_EQ(json["reference"], "42");
  EXPECT_FALSE(json.contains("prompt"));
}

TEST(AnswerTest, NamesTheFieldThatIsWrong) {
  Json json = ToJson(TwoAnswers(), PromptOf("{}"));
  json["answers"][0]["finish_reason"] = "tired";
  EXPECT_THAT(std::string(AnsweredRowFromJson(json, "a.jsonl:3").status().message()),
              ::testing::AllOf(::testing::HasSubstr("a.jsonl:3"), ::testing::HasSubstr("tired")));
}

}  // namespace
}  // namespace trainyard::eval
