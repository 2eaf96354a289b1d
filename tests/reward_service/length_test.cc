#include <gtest/gtest.h>

#include "reward_service/rule_scorers.h"
#include "tests/reward_service/items.h"

namespace trainyard::reward_service {
namespace {

TEST(Length, FallsLinearlyOutsideOfItsRange) {
  const auto scorer = MakeLength({4, 6, 4});
  const auto value = [&](int tokens) {
    ScoreItem item = TextItem("");
    item.token_ids.assign(2 + tokens, 1);
    return (*scorer)->ScoreOne(item).value;
  };
  EXPECT_EQ(value(0), 0);
  EXPECT_EQ(value(3), 0.75);
  EXPECT_EQ(value(4), 1);
  EXPECT_EQ(value(6), 1);
  EXPECT_EQ(value(8), 0.5);
  EXPECT_EQ(value(10), 0);
  EXPECT_EQ(value(50), 0);
}

TEST(Length, WithoutSlackItIsAStep) {
  const auto scorer = MakeLength({2, 2, 0});
  EXPECT_EQ((*scorer)->ScoreOne(TextItem("")).value, 1);
  ScoreItem item = TextItem("");
  item.token_ids.push_back(1);
  EXPECT_EQ((*scorer)->ScoreOne(item).value, 0);
}

TEST(Length, AnImpossibleRangeIsRefused) {
  EXPECT_FALSE(MakeLength({5, 4, 0}).ok());
  EXPECT_FALSE(MakeLength({0, 4, -1}).ok());
}

}  // namespace
}  // namespace trainyard::reward_service
