#include "tokenizer/regex.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace trainyard::tokenizer {
namespace {

using ::testing::ElementsAre;

std::vector<absl::string_view> Split(absl::string_view pattern, absl::string_view text) {
  std::vector<absl::string_view> pieces;
  (*Regex::Compile(pattern))->Split(text, &pieces);
  return pieces;
}

TEST(RegexTest, GivesMatchesAndWhatLiesBetween) {
  EXPECT_THAT(Split("[0-9]+", "ab12c"), ElementsAre("ab", "12", "c"));
  EXPECT_THAT(Split("x*", "axxb"), ElementsAre("a", "xx", "b"));
  EXPECT_TRUE(Split("a", "").empty());
}

TEST(RegexTest, TheMongolianVowelSeparatorIsNoWhiteSpaceAsInUnicode) {
  EXPECT_THAT(Split("\\s+", "a\xE1\xA0\x8E b"), ElementsAre("a\xE1\xA0\x8E", " ", "b"));
  EXPECT_THAT(Split("[^\\S\\n]+", "a \t\nb"), ElementsAre("a", " \t", "\nb"));
}

TEST(RegexTest, AVeryLongMatchEndsSomehow) {
  const std::string text(2'000'000, 'a');
  EXPECT_THAT(Split("(?:a|b)+", text), ElementsAre(text));
}

}  // namespace
}  // namespace trainyard::tokenizer
