#include "reward_service/pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trainyard::reward_service {
namespace {

using ::testing::HasSubstr;

int Count(const std::string& pattern, const std::string& text, int at_most = 100) {
  const auto compiled = Pattern::Compile(pattern, PatternCase::kSensitive);
  EXPECT_TRUE(compiled.ok()) << compiled.status();
  const auto count = compiled->Count(text, at_most);
  EXPECT_TRUE(count.ok()) << count.status();
  return *count;
}

TEST(Pattern, CountsMatchesThatDoNotOverlap) {
  EXPECT_EQ(Count("aa", "aaaaa"), 2);
  EXPECT_EQ(Count("aa", "aaaaa", 1), 1);
  EXPECT_EQ(Count("x*", "añb"), 4);  // an empty match at each place
  EXPECT_EQ(Count("\\d+", "a1b22c333"), 3);
  EXPECT_EQ(Count("z", ""), 0);
}

TEST(Pattern, AWrongPatternIsNamedWithItsPlace) {
  const auto pattern = Pattern::Compile("a(b", PatternCase::kSensitive);
  EXPECT_EQ(pattern.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(pattern.status().message()), HasSubstr("\"a(b\" is wrong at byte 3"));
}

TEST(Pattern, RunawayBacktrackingEndsAtTheLimitAlwaysInTheSameWay) {
  const auto pattern = Pattern::Compile("(a+)+$", PatternCase::kSensitive);
  const std::string text = std::string(40, 'a') + "b";
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(pattern->Count(text, 1).status().code(), absl::StatusCode::kResourceExhausted);
  }
}

TEST(Pattern, TextThatIsNotUtf8IsAnError) {
  const auto pattern = Pattern::Compile("a", PatternCase::kSensitive);
  EXPECT_EQ(pattern->Count("a\xff", 1).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Pattern, AnEscapedTextMatchesItself) {
  const std::string text = "a.b*c (d) [e] \\ ü $1";
  EXPECT_EQ(Count(EscapePattern(text), text), 1);
  EXPECT_EQ(Count(EscapePattern("a.b"), "axb"), 0);
}

}  // namespace
}  // namespace trainyard::reward_service
