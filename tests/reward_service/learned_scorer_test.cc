#include "reward_service/learned_scorer.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/time/clock.h"
#include "base/random.h"
#include "model/weights.h"
#include "tests/reward_service/tiny_reward_model.h"
#include "tests/support/process.h"

namespace trainyard::reward_service {
namespace {

using ::testing::HasSubstr;

class LearnedScorerTest : public ::testing::Test {
 protected:
  LearnedScorerTest() {
    at::set_num_threads(1);
    options_.directory = directory_.path();
    WriteTinyRewardModel(directory_.path());
  }

  static std::vector<ScoreItem> Items(int count) {
    const CounterRandom random(4);
    std::vector<ScoreItem> items(count);
    for (int i = 0; i < count; ++i) {
      const int tokens = 1 + static_cast<int>(random.Below(60, i));
      for (int t = 0; t < tokens; ++t) {
        items[i].token_ids.push_back(static_cast<int32_t>(random.Below(61, t, i + 1)));
      }
    }
    return items;
  }

  std::unique_ptr<Scorer> Make() {
    auto learned = MakeLearnedScorer(options_);
    EXPECT_TRUE(learned.ok()) << learned.status();
    return std::move(learned->scorer);
  }

  const trainyard::testing::TempDir directory_;
  LearnedScorerOptions options_;
};

TEST_F(LearnedScorerTest, AScoreHasTheSameBitsInAnyCompany) {
  const std::vector<ScoreItem> items = Items(40);
  const auto scorer = Make();
  const auto together = scorer->Score(items, absl::InfiniteFuture());
  options_.batch_tokens = 100;
  const auto small = Make()->Score(items, absl::InfiniteFuture());
  for (size_t i = 0; i < items.size(); ++i) {
    const auto alone = scorer->Score({items[i]}, absl::InfiniteFuture());
    EXPECT_EQ(together[i].raw, alone[0].raw) << items[i].token_ids.size();
    EXPECT_EQ(together[i].raw, small[i].raw);
    EXPECT_EQ(together[i].value, (together[i].raw - 0.5) / 2);
    EXPECT_EQ(together[i].at_token, static_cast<int>(items[i].token_ids.size()) - 1);
  }
}

TEST_F(LearnedScorerTest, WithoutNormalisationTheValueIsRaw) {
  options_.normalize = false;
  const auto scores = Make()->Score(Items(1), absl::InfiniteFuture());
  EXPECT_EQ(scores[0].raw, scores[0].value);
}

TEST_F(LearnedScorerTest, WhatCanNotBeScoredIsRejectedAndTheRestIsScored) {
  std::vector<ScoreItem> items = Items(4);
  items[0].token_ids.clear();
  items[1].token_ids.assign(65, 1);
  items[2].token_ids[0] = 61;
  const auto scores = Make()->Score(items, absl::InfiniteFuture());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(scores[i].status, ScoreStatus::kRejected);
  EXPECT_THAT(scores[1].message, HasSubstr("context is 64"));
  EXPECT_EQ(scores[3].status, ScoreStatus::kOk);
}

TEST_F(LearnedScorerTest, WhatComesAfterTheDeadlineTimesOut) {
  const auto scores = Make()->Score(Items(3), absl::Now() - absl::Seconds(1));
  for (const ComponentScore& score : scores) EXPECT_EQ(score.status, ScoreStatus::kTimeout);
}

TEST_F(LearnedScorerTest, AModelOfAnotherTokenizerIsRefused) {
  options_.tokenizer_sha256 = "theirs";
  EXPECT_EQ(MakeLearnedScorer(options_).status().code(), absl::StatusCode::kFailedPrecondition);
  options_.tokenizer_sha256 = "mine";
  EXPECT_TRUE(MakeLearnedScorer(options_).ok());
}

}  // namespace
}  // namespace trainyard::reward_service
