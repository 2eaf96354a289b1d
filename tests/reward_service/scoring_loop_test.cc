#include "reward_service/scoring_loop.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "absl/time/clock.h"
#include "tests/reward_service/items.h"
#include "tests/reward_service/tiny_reward_model.h"
#include "tests/support/process.h"

namespace trainyard::reward_service {
namespace {

absl::StatusOr<std::unique_ptr<Reward>> MakeReward(const std::string& pattern) {
  RewardOptions options;
  options.components = {{"digits", 1, RegexOptions{pattern, 1}}};
  return Reward::Create(options);
}

std::vector<ScoreItem> Items(int count) {
  std::vector<ScoreItem> items;
  for (int i = 0; i < count; ++i) {
    items.push_back(TextItem(i % 2 == 0 ? "7" : "x"));
    items.back().row = i;
  }
  return items;
}

TEST(ScoringLoop, EveryItemOfEveryCallGetsItsResult) {
  const auto loop = ScoringLoop::Start([] { return MakeReward("\\d"); }, Clock::Real());
  ASSERT_TRUE(loop.ok()) << loop.status();
  EXPECT_EQ((*loop)->facts().names, std::vector<std::string>{"digits"});
  std::vector<std::shared_ptr<ScoringLoop::Results>> calls;
  for (int call = 0; call < 5; ++call) {
    auto results = (*loop)->Submit(Items(300), absl::InfiniteFuture());
    ASSERT_TRUE(results.ok());
    calls.push_back(*results);
  }
  for (const auto& results : calls) {
    for (int i = 0; i < 300; ++i) {
      const auto scored = results->Pop(absl::Seconds(30));
      ASSERT_TRUE(scored.has_value());
      EXPECT_EQ(scored->row, i);
      EXPECT_EQ(*scored->combined.score, i % 2 == 0 ? 1 : 0);
    }
  }
  EXPECT_EQ((*loop)->load().queued, 0);
}

// Ten calls that are scored together; every other one is late.
TEST(ScoringLoop, AnItemEndsByItsOwnCallsDeadlineOnly) {
  const trainyard::testing::TempDir directory;
  WriteTinyRewardModel(directory.path());
  LearnedScorerOptions learned;
  learned.directory = directory.path();
  const auto loop = ScoringLoop::Start(
      [&] {
        at::set_num_threads(1);
        RewardOptions options;
        options.components = {{"rated", 1, learned}};
        return Reward::Create(options);
      },
      Clock::Real());
  ASSERT_TRUE(loop.ok()) << loop.status();
  std::vector<std::shared_ptr<ScoringLoop::Results>> calls;
  for (int call = 0; call < 10; ++call) {
    ScoreItem item = TextItem("answer");
    item.row = call;
    item.token_ids.push_back(call);
    auto results = (*loop)->Submit(
        {item}, call % 2 == 0 ? absl::Now() - absl::Seconds(call) : absl::InfiniteFuture());
    ASSERT_TRUE(results.ok());
    calls.push_back(*results);
  }
  for (int call = 0; call < 10; ++call) {
    const auto scored = calls[call]->Pop(absl::Seconds(30));
    ASSERT_TRUE(scored.has_value());
    EXPECT_EQ(scored->row, call);
    EXPECT_EQ(scored->components[0].status,
              call % 2 == 0 ? ScoreStatus::kTimeout : ScoreStatus::kOk);
  }
}

TEST(ScoringLoop, AKnownAnswerGetsItsScoreUnderTheNewRowsName) {
  const auto loop = ScoringLoop::Start([] { return MakeReward("\\d"); }, Clock::Real());
  ASSERT_TRUE(loop.ok()) << loop.status();
  for (int row : {3, 4, 5}) {
    ScoreItem item = TextItem("7");
    item.row = row;
    item.sample = row + 10;
    const auto results = (*loop)->Submit({item}, absl::InfiniteFuture());
    ASSERT_TRUE(results.ok());
    const auto scored = (*results)->Pop(absl::Seconds(30));
    ASSERT_TRUE(scored.has_value());
    EXPECT_EQ(scored->row, row);
    EXPECT_EQ(scored->sample, row + 10);
    EXPECT_EQ(*scored->combined.score, 1);
  }
}

TEST(ScoringLoop, ARewardThatDoesNotLoadIsTheError) {
  const auto loop = ScoringLoop::Start([] { return MakeReward("("); }, Clock::Real());
  EXPECT_EQ(loop.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ScoringLoop, MoreThanTheQueueHoldsIsRefused) {
  const auto loop = ScoringLoop::Start([] { return MakeReward("\\d"); }, Clock::Real());
  ASSERT_TRUE(loop.ok());
  EXPECT_EQ((*loop)->Submit(Items(70000), absl::InfiniteFuture()).status().code(),
            absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace trainyard::reward_service
