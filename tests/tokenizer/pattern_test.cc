#include "tokenizer/pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trainyard::tokenizer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<absl::string_view> Parts(SplitBehavior behavior, bool invert = false) {
  const auto dash = MakeLiteralPattern("-");
  std::vector<absl::string_view> parts;
  SplitByPattern(*dash, {behavior, invert}, "-a--b", &parts);
  return parts;
}

TEST(SplitByPatternTest, MatchesGoWhereTheBehaviorSays) {
  EXPECT_THAT(Parts(SplitBehavior::kRemoved), ElementsAre("a", "b"));
  EXPECT_THAT(Parts(SplitBehavior::kIsolated), ElementsAre("-", "a", "-", "-", "b"));
  EXPECT_THAT(Parts(SplitBehavior::kMergedWithPrevious), ElementsAre("-", "a-", "-", "b"));
  EXPECT_THAT(Parts(SplitBehavior::kMergedWithNext), ElementsAre("-a", "-", "-b"));
  EXPECT_THAT(Parts(SplitBehavior::kContiguous), ElementsAre("-", "a", "--", "b"));
}

TEST(SplitByPatternTest, InvertedItIsTheRestThatMatches) {
  EXPECT_THAT(Parts(SplitBehavior::kRemoved, true), ElementsAre("-", "-", "-"));
  EXPECT_THAT(Parts(SplitBehavior::kMergedWithPrevious, true), ElementsAre("-a", "-", "-b"));
}

TEST(SplitByPatternTest, AnEmptyMatchCutsToo) {
  std::vector<absl::string_view> parts;
  SplitByPattern(**MakeRegexPattern("x*"), {}, "abxxc", &parts);
  EXPECT_THAT(parts, ElementsAre("a", "b", "xx", "c"));
}

TEST(ReadPatternTest, ReadsBothKindsAndRefusesOthers) {
  std::vector<absl::string_view> parts;
  (*ReadPattern({{"String", "."}}, "t"))->Isolate("a.b", &parts);
  (*ReadPattern({{"Regex", "."}}, "t"))->Isolate("cd", &parts);
  EXPECT_THAT(parts, ElementsAre("a", ".", "b", "c", "d"));
  EXPECT_THAT(std::string(ReadPattern({{"Glob", "*"}}, "t.json").status().message()),
              HasSubstr("Glob"));
  EXPECT_THAT(std::string(ReadPattern({{"Regex", "(a|"}}, "t.json").status().message()),
              HasSubstr("(a|"));
  EXPECT_THAT(std::string(ParseSplitBehavior("Merged", "t.json").status().message()),
              HasSubstr("behavior \"Merged\""));
}

}  // namespace
}  // namespace trainyard::tokenizer
