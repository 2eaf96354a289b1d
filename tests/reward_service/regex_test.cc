#include <gtest/gtest.h>

#include "reward_service/rule_scorers.h"
#include "tests/reward_service/items.h"

namespace trainyard::reward_service {
namespace {

TEST(Regex, GivesItsValueWhenThePatternIsFound) {
  const auto scorer = MakeRegex({"^\\d+$", 2.5});
  EXPECT_EQ((*scorer)->ScoreOne(TextItem("42")).value, 2.5);
  EXPECT_EQ((*scorer)->ScoreOne(TextItem("x42")).value, 0);
}

TEST(Regex, AMatchBeyondTheLimitsIsAnErrorAndNotZero) {
  const auto scorer = MakeRegex({"(a+)+$", 1});
  const ComponentScore score = (*scorer)->ScoreOne(TextItem(std::string(40, 'a') + "b"));
  EXPECT_EQ(score.status, ScoreStatus::kVerifierError);
  EXPECT_FALSE(score.message.empty());
}

TEST(Regex, AWrongPatternIsRefused) { EXPECT_FALSE(MakeRegex({"[", 1}).ok()); }

}  // namespace
}  // namespace trainyard::reward_service
