#include "tokenizer/regex.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace trainyard::tokenizer {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Matches(absl::string_view pattern, const std::string& text) {
  std::vector<std::pair<size_t, size_t>> matches;
  const auto regex = Regex::Compile(pattern);
  EXPECT_TRUE(regex.ok()) << regex.status();
  (*regex)->FindAll(text, &matches);
  std::vector<std::string> texts;
  for (const auto& [begin, end] : matches) texts.push_back(text.substr(begin, end - begin));
  return texts;
}

TEST(RegexTest, FindsMatchesFromLeftToRight) {
  EXPECT_THAT(Matches("[0-9]+", "ab12c3"), ElementsAre("12", "3"));
  EXPECT_THAT(Matches("x*", "axxb"), ElementsAre("", "xx", ""));
  EXPECT_THAT(Matches("a", ""), ElementsAre());
}

TEST(RegexTest, TheMongolianVowelSeparatorIsNoWhiteSpaceAsInUnicode) {
  EXPECT_THAT(Matches("\\s+", "a\xE1\xA0\x8E b"), ElementsAre(" "));
  EXPECT_THAT(Matches("[^\\S\\n]+", "a \t\nb"), ElementsAre(" \t"));
}

TEST(RegexTest, KnowsCharactersOfUnicode16) {
  EXPECT_THAT(Matches("\\p{Lu}", "\xE1\xB2\x89"), ElementsAre("\xE1\xB2\x89"));  // U+1C89
  EXPECT_THAT(Matches("\\p{Han}", "\xF0\xB2\x80\x80"), ElementsAre("\xF0\xB2\x80\x80"));
}

TEST(RegexTest, AVeryLongMatchIsFoundWhole) {
  const std::string text(2'000'000, 'a');
  EXPECT_THAT(Matches("(?:a|b)+", text), ElementsAre(text));
}

}  // namespace
}  // namespace trainyard::tokenizer
