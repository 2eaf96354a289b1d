#include "data/row.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace trainyard::data {
namespace {

using ::testing::HasSubstr;

std::string Error(absl::string_view line) {
  const auto row = ParseRow(line);
  EXPECT_EQ(row.status().code(), absl::StatusCode::kInvalidArgument) << line;
  return std::string(row.status().message());
}

TEST(RowTest, ReadsEachKindOfRow) {
  EXPECT_EQ(*ParseRow(R"({"text": "a\nb"})")->text, "a\nb");
  const Row pair = *ParseRow(R"({"prompt": "p", "response": "r", "score": 1.5, "group": "film"})");
  EXPECT_EQ(pair.messages[0].role, "user");
  EXPECT_EQ(*pair.response, "r");
  EXPECT_EQ(*pair.score, 1.5);
  EXPECT_EQ(pair.group, "film");
  const Row chat = *ParseRow(
      R"({"messages": [{"role": "user", "content": "q"},
          {"role": "assistant", "content": "a", "train": false}]})");
  EXPECT_EQ(chat.messages[1].content, "a");
  EXPECT_FALSE(chat.messages[1].train);
  const Row ranked =
      *ParseRow(R"({"prompt": "p", "answers": [{"text": "x", "score": 2}, {"text": "y"}]})");
  EXPECT_EQ(*ranked.answers[0].score, 2);
  EXPECT_FALSE(ranked.answers[1].score.has_value());
  const Row chosen = *ParseRow(R"({"prompt": "p", "chosen": "good", "rejected": "bad"})");
  EXPECT_EQ(chosen.answers[0].text, "good");
  EXPECT_GT(*chosen.answers[0].score, *chosen.answers[1].score);
  EXPECT_EQ(ParseRow(R"({"prompt": "p", "group": 7})")->group, "7");
}

TEST(RowTest, NamesTheFieldThatIsMissingAndThoseSeen) {
  EXPECT_THAT(Error(R"({"question": "x", "answer": "y"})"),
              HasSubstr("is missing (fields seen: answer, question)"));
  EXPECT_THAT(Error(R"({"prompt": "p", "chosen": "x"})"),
              HasSubstr("field \"rejected\" is missing (fields seen: chosen, prompt)"));
  EXPECT_THAT(Error(R"({"messages": [{"role": "user"}]})"),
              HasSubstr("field \"messages[0].content\" is missing"));
  EXPECT_THAT(Error(R"({"prompt": "p", "answers": [{"score": 1}]})"),
              HasSubstr("field \"answers[0].text\" is missing"));
}

TEST(RowTest, NamesTheFieldOfTheWrongType) {
  EXPECT_THAT(Error(R"({"text": 3})"), HasSubstr("field \"text\" must be a string, is a number"));
  EXPECT_THAT(Error(R"({"prompt": "p", "score": "high"})"),
              HasSubstr("field \"score\" must be a number, is a string"));
  EXPECT_THAT(Error(R"({"messages": {"role": "user"}})"),
              HasSubstr("field \"messages\" must be a list, is an object"));
  EXPECT_THAT(Error(R"({"messages": [{"role": "user", "content": "x", "train": 1}]})"),
              HasSubstr("messages[0].train"));
}

TEST(RowTest, RefusesWhatIsNoJsonObject) {
  EXPECT_THAT(Error(R"({"text": "a")"), HasSubstr("not a JSON row"));
  EXPECT_THAT(Error("[1, 2]"), HasSubstr("must be an object, is a list"));
  EXPECT_THAT(Error("{\"text\": \"\xFF\"}"), HasSubstr("UTF-8"));
}

TEST(RowTest, InstructionsAreDrawnByIndexAndFilledFromTheRow) {
  const Row row = *ParseRow(R"({"prompt": "cats", "tone": "warm", "response": "r"})");
  const std::vector<std::string> templates = {"Write of {prompt}.", "{{{tone}: {prompt}"};
  std::map<std::string, int> counts;
  for (uint64_t index = 0; index < 200; ++index) {
    const auto text = ApplyInstruction(row, templates, 5, index);
    ASSERT_TRUE(text.ok());
    EXPECT_EQ(*text, *ApplyInstruction(row, templates, 5, index));
    ++counts[*text];
  }
  EXPECT_GT(counts["Write of cats."], 60);
  EXPECT_GT(counts["{warm: cats"], 60);
  EXPECT_EQ(counts.size(), 2);
  EXPECT_EQ(*ApplyInstruction(row, {}, 5, 0), "cats");
  EXPECT_THAT(std::string(ApplyInstruction(row, {"{topic}"}, 5, 0).status().message()),
              HasSubstr("field \"topic\" is missing"));
}

}  // namespace
}  // namespace trainyard::data
