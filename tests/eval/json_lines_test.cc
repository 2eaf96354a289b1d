#include "eval/json_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace trainyard::eval {
namespace {

using ::testing::HasSubstr;

// Reads the field "word" of each line; the places of the lines go to `places`.
absl::Status ReadWords(absl::string_view text, std::vector<std::string>* words,
                       std::vector<std::string>* places) {
  return ForEachJsonLine(text, "words.jsonl",
                         [&](const JsonReader& row, const std::string& place) -> absl::Status {
                           places->push_back(place);
                           const auto word = row.String("word");
                           if (word.ok()) words->push_back(*word);
                           return word.status();
                         });
}

class JsonLinesTest : public ::testing::Test {
 protected:
  std::vector<std::string> words_;
  std::vector<std::string> places_;
};

TEST_F(JsonLinesTest, EveryLineIsVisitedWithItsPlaceAndEmptyOnesAreCounted) {
  const absl::Status status =
      ReadWords("{\"word\": \"a\"}\n\n  \t\r\n{\"word\": \"b\"}", &words_, &places_);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(words_, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(places_, (std::vector<std::string>{"words.jsonl:1", "words.jsonl:4"}));
}

TEST_F(JsonLinesTest, AnEmptyFileIsNoLines) {
  EXPECT_TRUE(ReadWords("", &words_, &places_).ok());
  EXPECT_TRUE(places_.empty());
}

TEST_F(JsonLinesTest, ALineThatIsNoJsonIsNamedAndEndsIt) {
  const absl::Status status =
      ReadWords("{\"word\": \"a\"}\n{\"word\": \n{\"word\": \"c\"}\n", &words_, &places_);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("words.jsonl:2"));
  EXPECT_EQ(words_, (std::vector<std::string>{"a"}));
}

TEST_F(JsonLinesTest, TheVisitorsErrorEndsItAndNamesTheLine) {
  const absl::Status status = ReadWords("{\"word\": 3}\n{\"word\": \"b\"}\n", &words_, &places_);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("words.jsonl:1"));
  EXPECT_EQ(places_.size(), 1u);
}

TEST_F(JsonLinesTest, ALineThatIsNoObjectIsNamed) {
  const absl::Status status = ReadWords("[\"a\"]\n", &words_, &places_);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("words.jsonl:1"));
}

}  // namespace
}  // namespace trainyard::eval
