#include "reward_service/combine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trainyard::reward_service {
namespace {

using ::testing::HasSubstr;

ComponentScore Value(double value) { return {ScoreStatus::kOk, 0, value, value, ""}; }

CombinedScore Of(Combination combination, std::vector<ComponentScore> scores) {
  const std::vector<std::string> names = {"a", "b", "c"};
  const std::vector<double> weights = {1, 2, -1};
  return Combine(combination, names, weights, scores);
}

TEST(Combine, EachRuleByItsDefinition) {
  const std::vector<ComponentScore> scores = {Value(3), Value(0.5), Value(2)};
  EXPECT_EQ(*Of(Combination::kWeightedSum, scores).score, 2);
  EXPECT_EQ(*Of(Combination::kProduct, scores).score, -6);
  EXPECT_EQ(*Of(Combination::kMin, scores).score, -2);
  EXPECT_EQ(*Of(Combination::kGate, scores).score, -1);
  EXPECT_EQ(*Of(Combination::kGate, {Value(0), Value(0.5), Value(2)}).score, 0);
}

TEST(Combine, AFailedComponentIsNeverANumber) {
  const auto failed = ComponentScore::Failed(ScoreStatus::kTimeout, "late");
  for (Combination combination : {Combination::kWeightedSum, Combination::kProduct,
                                  Combination::kMin, Combination::kGate}) {
    const CombinedScore combined = Of(combination, {Value(1), failed, Value(1)});
    EXPECT_EQ(combined.status, ScoreStatus::kTimeout);
    EXPECT_FALSE(combined.score.has_value());
    EXPECT_EQ(combined.message, "b: late");
  }
  EXPECT_EQ(*Of(Combination::kGate, {Value(0), failed, Value(1)}).score, 0);
  EXPECT_EQ(Of(Combination::kGate, {failed, Value(1), Value(1)}).status, ScoreStatus::kTimeout);
}

TEST(Combine, NamesAreParsed) {
  EXPECT_EQ(*ParseCombination(""), Combination::kWeightedSum);
  EXPECT_EQ(*ParseCombination("gate"), Combination::kGate);
  EXPECT_THAT(std::string(ParseCombination("sum").status().message()), HasSubstr("\"sum\""));
}

}  // namespace
}  // namespace trainyard::reward_service
