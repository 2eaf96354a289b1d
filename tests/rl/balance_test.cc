#include "rl/balance.h"

#include <algorithm>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace trainyard::rl {
namespace {

using testing::HasSubstr;

std::vector<PlanRow> Rows(int count) {
  std::vector<PlanRow> rows;
  for (int i = 0; i < count; ++i) rows.push_back({10 + i % 7, 3 + i % 5});
  return rows;
}

std::vector<std::set<int64_t>> Compositions(const IterationPlan& plan) {
  std::vector<std::set<int64_t>> sets;
  for (const auto& pass : plan.passes) {
    for (const Minibatch& minibatch : pass) {
      sets.emplace_back();
      for (const RowIndices& share : minibatch.shares) {
        sets.back().insert(share.begin(), share.end());
      }
    }
  }
  return sets;
}

TEST(BalanceTest, EachPassTrainsEveryRowOnce) {
  const auto rows = Rows(37);
  const auto plan = MakeIterationPlan(
      rows, {.seed = 5, .passes = 3, .minibatch_rows = 8, .ranks = 2});
  ASSERT_TRUE(plan.ok()) << plan.status();
  ASSERT_EQ(plan->passes.size(), 3);
  for (const auto& pass : plan->passes) {
    EXPECT_EQ(pass.size(), 5);  // 4 x 8 + 5
    std::multiset<int64_t> seen;
    for (const Minibatch& minibatch : pass) {
      for (const RowIndices& share : minibatch.shares) seen.insert(share.begin(), share.end());
    }
    EXPECT_EQ(seen.size(), 37);
    EXPECT_EQ(std::set<int64_t>(seen.begin(), seen.end()).size(), 37);
  }
  EXPECT_TRUE(ValidatePlan(*plan, rows, 2).ok());
}

TEST(BalanceTest, CompositionDoesNotDependOnTheNumberOfRanks) {
  const auto rows = Rows(64);
  const PlanOptions options{.seed = 9, .iteration = 4, .passes = 2, .minibatch_rows = 16};
  PlanOptions four = options;
  four.ranks = 4;
  EXPECT_EQ(Compositions(*MakeIterationPlan(rows, options)),
            Compositions(*MakeIterationPlan(rows, four)));
}

TEST(BalanceTest, OrderDependsOnSeedIterationAndPass) {
  const auto rows = Rows(64);
  const PlanOptions options{.seed = 9, .iteration = 4, .passes = 2, .minibatch_rows = 16};
  PlanOptions other_seed = options, other_iteration = options;
  other_seed.seed = 10;
  other_iteration.iteration = 5;
  const auto base = Compositions(*MakeIterationPlan(rows, options));
  EXPECT_NE(base, Compositions(*MakeIterationPlan(rows, other_seed)));
  EXPECT_NE(base, Compositions(*MakeIterationPlan(rows, other_iteration)));
  EXPECT_NE(base[0], base[4]);  // first minibatch of either pass
}

TEST(BalanceTest, SharesAreBalancedByTokens) {
  std::vector<PlanRow> rows = {{100, 1}, {1, 1}, {1, 1}, {50, 1}, {50, 1}, {1, 1}};
  const auto plan = MakeIterationPlan(rows, {.minibatch_rows = 6, .ranks = 2});
  EXPECT_LT(Imbalance(plan->passes[0][0], rows), 1.02);
}

TEST(BalanceTest, ARankWithoutRowsIsStillInThePlan) {
  const auto rows = Rows(2);
  const auto plan = MakeIterationPlan(rows, {.minibatch_rows = 2, .ranks = 4});
  const Minibatch& minibatch = plan->passes[0][0];
  ASSERT_EQ(minibatch.shares.size(), 4);
  EXPECT_EQ(std::count_if(minibatch.shares.begin(), minibatch.shares.end(),
                          [](const RowIndices& share) { return share.empty(); }), 2);
}

TEST(BalanceTest, MaskedRowsAreNeverComputed) {
  std::vector<PlanRow> rows = Rows(4);
  rows[2].trained_tokens = 0;
  const auto plan = MakeIterationPlan(rows, {.minibatch_rows = 1});
  EXPECT_EQ(plan->passes[0].size(), 3);
  for (const Minibatch& minibatch : plan->passes[0]) EXPECT_NE(minibatch.shares[0][0], 2);
}

TEST(BalanceTest, MicroBatchesStayWithinTheBudget) {
  const std::vector<PlanRow> rows = {{6, 1}, {6, 1}, {20, 1}, {3, 1}, {4, 1}};
  EXPECT_EQ(CutMicroBatches({0, 1, 2, 3, 4}, rows, 12),
            (std::vector<RowIndices>{{0, 1}, {2}, {3, 4}}));
  EXPECT_TRUE(CutMicroBatches({}, rows, 12).empty());
}

TEST(BalanceTest, DigestSeesSharesAndCounts) {
  const auto rows = Rows(8);
  const IterationPlan plan = *MakeIterationPlan(rows, {.minibatch_rows = 4, .ranks = 2});
  IterationPlan moved = plan, recounted = plan;
  std::swap(moved.passes[0][0].shares[0], moved.passes[0][0].shares[1]);
  recounted.passes[0][1].trained_tokens += 1;
  const IterationPlan again = plan;
  EXPECT_EQ(DigestUpdate(plan, {}), DigestUpdate(again, {}));
  EXPECT_NE(DigestUpdate(plan, {}), DigestUpdate(moved, {}));
  EXPECT_NE(DigestUpdate(plan, {}), DigestUpdate(recounted, {}));
  EXPECT_NE(DigestUpdate(plan, {}), DigestUpdate(plan, {Trajectory{}}));
}

TEST(BalanceTest, NonsenseIsRefusedByName) {
  EXPECT_THAT(MakeIterationPlan(Rows(3), {.passes = 0}).status().message(),
              HasSubstr("passes is 0"));
  const std::vector<PlanRow> masked = {{5, 0}};
  EXPECT_THAT(MakeIterationPlan(masked, {}).status().message(), HasSubstr("token to train"));
  const auto rows = Rows(3);
  IterationPlan plan = *MakeIterationPlan(rows, {.minibatch_rows = 3});
  EXPECT_FALSE(ValidatePlan(plan, rows, 2).ok());
  plan.passes[0][0].shares[0][0] = plan.passes[0][0].shares[0][1];
  EXPECT_THAT(ValidatePlan(plan, rows, 1).message(), HasSubstr("twice"));
}

}  // namespace
}  // namespace trainyard::rl
