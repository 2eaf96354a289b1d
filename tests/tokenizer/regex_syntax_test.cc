#include "tokenizer/regex_syntax.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tokenizer/regex.h"

namespace trainyard::tokenizer {
namespace {

using ::testing::HasSubstr;

// The first match, or "none".
std::string First(absl::string_view pattern, const std::string& text) {
  std::vector<std::pair<size_t, size_t>> matches;
  const auto regex = Regex::Compile(pattern);
  EXPECT_TRUE(regex.ok()) << regex.status();
  (*regex)->FindAll(text, &matches);
  if (matches.empty()) return "none";
  return text.substr(matches[0].first, matches[0].second - matches[0].first);
}

TEST(RegexSyntaxTest, EscapesMeanWhatTheyDoInOniguruma) {
  EXPECT_EQ(First("\\h+", "xyz\tfe09g"), "fe09");
  EXPECT_EQ(First("[\\h-]+", "xyz\tf-09g"), "f-09");
  EXPECT_EQ(First("\\v", "\n\x0B"), "\x0B");
  EXPECT_EQ(First("\\w+", "!²ⓐा_½!"), "²ⓐा_½");
  EXPECT_EQ(First("[^\\w]+", "a½!"), "½!");
  EXPECT_EQ(First("\\w+", "①"), "none");
  EXPECT_EQ(First("\\p{Han}+", "㏻漢"), "漢");
  EXPECT_EQ(First("\\u4e00+", "a一一"), "一一");
  EXPECT_EQ(First("\\p{Letter}+\\p{^L}", "12ab3"), "ab3");
  EXPECT_EQ(First("\\bb\\w", "ab ①bc"), "bc");
}

TEST(RegexSyntaxTest, IntervalsAreNeverPossessive) {
  EXPECT_EQ(First("\\d{1,3}+4", "1234"), "1234");
  EXPECT_EQ(First("(?:ab){2}?c", "ababc"), "ababc");
  EXPECT_EQ(First("x(?:ab){2}?c", "xc"), "xc");
  EXPECT_EQ(First("a{,2}b", "aaab"), "aab");
  EXPECT_EQ(First("a++a|b", "aaab"), "b");
  EXPECT_EQ(First("a{b", "a{b"), "a{b");
}

TEST(RegexSyntaxTest, OptionsHoldToTheEndOfTheirGroup) {
  EXPECT_EQ(First("a(?i)b|c", "C aC"), "aC");
  EXPECT_EQ(First("(?:x(?i)y|z)Q", "zQ xZQ"), "xZQ");
  EXPECT_EQ(First("(?i:'s|'T)", "a'S"), "'S");
  EXPECT_EQ(First("a(?m:.)b", "a\nb"), "a\nb");
  EXPECT_EQ(First("a.b", "a\nb"), "none");
}

TEST(RegexSyntaxTest, LinesBeginAndEndEverywhere) {
  EXPECT_EQ(First("^b", "a\nb"), "b");
  EXPECT_EQ(First("a$", "a\nb"), "a");
  EXPECT_EQ(First("\\s++$", "a \n b  "), "  ");
}

TEST(RegexSyntaxTest, ClassesMayHoldClasses) {
  EXPECT_EQ(First("[a[bc]d]+", "xabcd]"), "abcd");
  EXPECT_EQ(First("[[:alpha:]_]+", "1a_é2"), "a_é");
  EXPECT_EQ(First("[]x]+", "a]x"), "]x");
}

TEST(RegexSyntaxTest, NamesWhatPcre2CanNotSay) {
  for (const char* pattern : {"[a&&b]", "[a[^b]]", "\\xE4", "(?~a)", "\\Qa\\E", "[[:punct:]]", "(a",
                              "a)", "[a", "\\", "[\\W]", "(?u:a)", "(*UTF)a"}) {
    const auto refused = Regex::Compile(pattern);
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument) << pattern;
    EXPECT_THAT(std::string(refused.status().message()), HasSubstr(pattern));
  }
}

}  // namespace
}  // namespace trainyard::tokenizer
