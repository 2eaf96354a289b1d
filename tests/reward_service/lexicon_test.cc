#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "reward_service/rule_scorers.h"
#include "tests/reward_service/items.h"
#include "tests/support/compressed.h"
#include "tests/support/process.h"

namespace trainyard::reward_service {
namespace {

using ::testing::HasSubstr;

TEST(Lexicon, IsTheMeanOverMatchedWords) {
  const auto scorer = MakeLexicon({{"good", 1}, {"bad", -0.5}, {"don't", -1}});
  const auto value = [&](const char* text) { return scorer->ScoreOne(TextItem(text)).value; };
  EXPECT_EQ(value("a GOOD film, not bad."), 0.25);
  EXPECT_EQ(value("don't"), -1);
  EXPECT_EQ(value("goods and badly"), 0);
  EXPECT_EQ(value(""), 0);
}

absl::StatusOr<Lexicon> Read(const std::string& text, const std::string& name = "words.jsonl") {
  const trainyard::testing::TempDir directory;
  std::ofstream(directory.File(name), std::ios::binary) << text;
  return ReadLexicon(directory.File(name));
}

TEST(Lexicon, AWordThatComesTwiceHasTheMean) {
  const auto lexicon =
      Read("{\"word\": \"good\", \"value\": 1}\n\n{\"word\": \"good\", \"value\": 0}");
  ASSERT_TRUE(lexicon.ok()) << lexicon.status();
  EXPECT_EQ(lexicon->at("good"), 0.5);
}

TEST(Lexicon, ACompressedListIsRead) {
  const auto lexicon = Read(trainyard::testing::GzipOf("{\"word\": \"good\", \"value\": 1}\n"),
                            "words.jsonl.gz");
  ASSERT_TRUE(lexicon.ok()) << lexicon.status();
  EXPECT_EQ(lexicon->at("good"), 1);
}

TEST(Lexicon, ABadLineIsNamed) {
  const auto no_value = Read("{\"word\": \"a\", \"value\": 1}\n{\"word\": \"b\"}");
  EXPECT_THAT(std::string(no_value.status().message()), HasSubstr("words.jsonl:2"));
  const auto two_words = Read("{\"word\": \"Two words\", \"value\": 1}");
  EXPECT_THAT(std::string(two_words.status().message()), HasSubstr("Two words"));
  EXPECT_FALSE(Read("").ok());
}

}  // namespace
}  // namespace trainyard::reward_service
