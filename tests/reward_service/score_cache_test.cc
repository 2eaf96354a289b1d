#include "reward_service/score_cache.h"

#include <gtest/gtest.h>

#include "tests/reward_service/items.h"

namespace trainyard::reward_service {
namespace {

ScoredItem Scored(ScoreStatus status, double value) {
  ScoredItem scored;
  scored.components = {{status, 0, value, value, ""}};
  return scored;
}

TEST(ScoreCache, AKeySaysTheContentAndNothingElse) {
  const ScoreItem item = TextItem("yes", "no");
  ScoreItem other = item;
  other.row = 7;
  other.sample = 3;
  EXPECT_EQ(ContentKey(other), ContentKey(item));
  ScoreItem shifted = TextItem("yesn", "o"), earlier = item, shorter = item;
  earlier.answer_begin = 1;
  shorter.token_ids.pop_back();
  ScoreItem asked = TextItem("", "no");
  asked.prompt = item.answer;
  for (const ScoreItem& changed : {shifted, earlier, shorter, asked}) {
    EXPECT_NE(ContentKey(changed), ContentKey(item));
  }
}

TEST(ScoreCache, OnlyWhatTheContentAloneDecidesIsKept) {
  ScoreCache cache(10);
  cache.Put("ok", Scored(ScoreStatus::kOk, 1));
  cache.Put("rejected", Scored(ScoreStatus::kRejected, 0));
  cache.Put("undecided", Scored(ScoreStatus::kVerifierError, 0));
  cache.Put("late", Scored(ScoreStatus::kTimeout, 0));
  cache.Put("failed", Scored(ScoreStatus::kModelError, 0));
  EXPECT_EQ(cache.Find("ok")->components[0].value, 1);
  EXPECT_EQ(cache.Find("rejected")->components[0].status, ScoreStatus::kRejected);
  EXPECT_NE(cache.Find("undecided"), nullptr);
  EXPECT_EQ(cache.Find("late"), nullptr);
  EXPECT_EQ(cache.Find("failed"), nullptr);
}

TEST(ScoreCache, TheOldestGoesWhenThereIsNoRoom) {
  ScoreCache cache(2);
  for (const char* key : {"a", "b", "b", "c"}) cache.Put(key, Scored(ScoreStatus::kOk, 1));
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_EQ(cache.Find("a"), nullptr);
  EXPECT_NE(cache.Find("b"), nullptr);
  EXPECT_NE(cache.Find("c"), nullptr);
}

}  // namespace
}  // namespace trainyard::reward_service
