#include <gtest/gtest.h>

#include "reward_service/rule_scorers.h"
#include "tests/reward_service/items.h"

namespace trainyard::reward_service {
namespace {

TEST(ForbiddenWords, EachWholeWordCosts) {
  const auto scorer = MakeForbiddenWords({{"bad", "c++", "schön"}, 0.5});
  const auto value = [&](const char* answer) {
    return (*scorer)->ScoreOne(TextItem(answer)).value;
  };
  EXPECT_EQ(value("a good day"), 0);
  EXPECT_EQ(value("Bad, bad, BAD"), -1.5);
  EXPECT_EQ(value("badly"), 0);
  EXPECT_EQ(value("I write C++."), -0.5);
  EXPECT_EQ(value("SCHÖN unschön"), -0.5);
}

TEST(ForbiddenWords, OptionsThatMakeNoSenseAreRefused) {
  EXPECT_FALSE(MakeForbiddenWords({}).ok());
  EXPECT_FALSE(MakeForbiddenWords({{""}, 1}).ok());
  EXPECT_FALSE(MakeForbiddenWords({{"a"}, -1}).ok());
}

}  // namespace
}  // namespace trainyard::reward_service
