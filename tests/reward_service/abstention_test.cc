#include <gtest/gtest.h>

#include "reward_service/rule_scorers.h"
#include "tests/reward_service/items.h"

namespace trainyard::reward_service {
namespace {

TEST(Abstention, AnHonestIDontKnowIsBetterThanAnInventedFact) {
  const auto scorer = MakeAbstention({{"i (do not|don't) know", "no idea"}, 1, 0.1, -1});
  const auto value = [&](const char* answer) {
    return (*scorer)->ScoreOne(TextItem(answer, "Paris")).value;
  };
  EXPECT_EQ(value(" paris "), 1);
  EXPECT_EQ(value("I don't know."), 0.1);
  EXPECT_EQ(value("No idea"), 0.1);
  EXPECT_EQ(value("Berlin"), -1);
  EXPECT_EQ(value("Paris, I guess"), -1);
}

TEST(Abstention, NeedsPatternsAndAReference) {
  EXPECT_FALSE(MakeAbstention({}).ok());
  EXPECT_FALSE(MakeAbstention({{"("}}).ok());
  const auto scorer = MakeAbstention({{"x"}});
  EXPECT_EQ((*scorer)->ScoreOne(TextItem("y")).status, ScoreStatus::kVerifierError);
}

}  // namespace
}  // namespace trainyard::reward_service
