#include "eval/json_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/eval/fake_cluster.h"
#include "tests/support/compressed.h"

namespace trainyard::eval {
namespace {

using ::testing::HasSubstr;

class JsonLinesTest : public EvalTest {
 protected:
  // Reads the field "word" of each line of a file; the places of the lines go to `places_`.
  absl::Status ReadWords(const std::string& bytes, const std::string& name = "words.jsonl") {
    const auto read = [&](const JsonReader& row, const std::string& place) {
      places_.push_back(place.substr(directory_.size() + 1));
      const auto word = row.String("word");
      if (word.ok()) words_.push_back(*word);
      return word.status();
    };
    return ForEachJsonLine(Write(name, bytes), read);
  }

  std::vector<std::string> words_;
  std::vector<std::string> places_;
};

TEST_F(JsonLinesTest, EveryLineIsVisitedWithItsPlaceAndEmptyOnesAreCounted) {
  const std::string text = "{\"word\": \"a\"}\n\n  \t\r\n{\"word\": \"b\"}";
  const absl::Status status = ReadWords(text);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(words_, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(places_, (std::vector<std::string>{"words.jsonl:1", "words.jsonl:4"}));
  EXPECT_TRUE(ReadWords(trainyard::testing::GzipOf(text), "words.jsonl.gz").ok());
  EXPECT_EQ(words_, (std::vector<std::string>{"a", "b", "a", "b"}));
  EXPECT_EQ(places_.back(), "words.jsonl.gz:4");
}

TEST_F(JsonLinesTest, AnEmptyFileIsNoLines) {
  EXPECT_TRUE(ReadWords("").ok());
  EXPECT_TRUE(places_.empty());
}

TEST_F(JsonLinesTest, ALineThatIsNoJsonIsNamedAndEndsIt) {
  const absl::Status status =
      ReadWords("{\"word\": \"a\"}\n{\"word\": \n{\"word\": \"c\"}\n");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("words.jsonl:2"));
  EXPECT_EQ(words_, (std::vector<std::string>{"a"}));
}

TEST_F(JsonLinesTest, TheVisitorsErrorEndsItAndNamesTheLine) {
  const absl::Status status = ReadWords("{\"word\": 3}\n{\"word\": \"b\"}\n");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("words.jsonl:1"));
  EXPECT_EQ(places_.size(), 1u);
}

TEST_F(JsonLinesTest, ALineThatIsNoObjectIsNamed) {
  const absl::Status status = ReadWords("[\"a\"]\n");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("words.jsonl:1"));
}

}  // namespace
}  // namespace trainyard::eval
