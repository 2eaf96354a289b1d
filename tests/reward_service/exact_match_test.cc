#include <gtest/gtest.h>

#include "reward_service/rule_scorers.h"
#include "tests/reward_service/items.h"

namespace trainyard::reward_service {
namespace {

double Value(const ExactMatchOptions& options, const char* answer) {
  return MakeExactMatch(options)->ScoreOne(TextItem(answer, "Paris")).value;
}

TEST(ExactMatch, ComparesAsAsked) {
  EXPECT_EQ(Value({}, "Paris"), 1);
  EXPECT_EQ(Value({}, "paris"), 0);
  EXPECT_EQ(Value({}, " Paris"), 0);
  EXPECT_EQ(Value({.ignore_case = true}, "pARIS"), 1);
  EXPECT_EQ(Value({.strip = true}, " Paris\n"), 1);
  EXPECT_EQ(Value({.strip = true}, "Paris, France"), 0);
}

TEST(ExactMatch, ARowWithoutReferenceIsAnErrorAndNotZero) {
  const ComponentScore score = MakeExactMatch({})->ScoreOne(TextItem("Paris"));
  EXPECT_EQ(score.status, ScoreStatus::kVerifierError);
}

TEST(ExactMatch, TheScoreBelongsToTheLastToken) {
  EXPECT_EQ(MakeExactMatch({})->ScoreOne(TextItem("x", "x")).at_token, 3);
}

}  // namespace
}  // namespace trainyard::reward_service
