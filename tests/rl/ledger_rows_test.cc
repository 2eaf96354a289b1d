#include "rl/ledger_rows.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace trainyard::rl {
namespace {

LedgerIteration Iteration(int64_t iteration, int64_t first_row, int64_t rows) {
  return {.iteration = iteration, .first_row = first_row, .rows = rows, .digest = "abc"};
}

TEST(LedgerRowsTest, RowsFollowEachOtherWithoutGapOrOverlap) {
  LedgerRows ledger;
  EXPECT_TRUE(ledger.Append(Iteration(0, 0, 8)).ok());
  EXPECT_TRUE(ledger.Append(Iteration(1, 8, 8)).ok());
  EXPECT_EQ(ledger.next_row(), 16);
  EXPECT_EQ(ledger.Append(Iteration(2, 15, 8)).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ledger.Append(Iteration(2, 17, 8)).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ledger.Append(Iteration(1, 16, 8)).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ledger.Append(Iteration(2, 16, 0)).code(), absl::StatusCode::kFailedPrecondition);
}

TEST(LedgerRowsTest, WhatIsWrittenIsRead) {
  LedgerRows ledger;
  LedgerIteration iteration = Iteration(0, 0, 8);
  iteration.samples_per_row = 4;
  iteration.excluded = {{.row = 3, .sample = 1, .reason = "REJECTED"}};
  ASSERT_TRUE(ledger.Append(iteration).ok());
  const auto read = LedgerRows::FromJson(ledger.ToJson());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->ToJson(), ledger.ToJson());
  EXPECT_EQ(read->CountExcluded("REJECTED"), 1);
}

TEST(LedgerRowsTest, ATornLedgerIsDataLoss) {
  LedgerRows ledger;
  ASSERT_TRUE(ledger.Append(Iteration(0, 0, 8)).ok());
  Json json = ledger.ToJson();
  json["iterations"][0]["first_row"] = 1;
  EXPECT_EQ(LedgerRows::FromJson(json).status().code(), absl::StatusCode::kDataLoss);
  json["iterations"][0].erase("first_row");
  EXPECT_EQ(LedgerRows::FromJson(json).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace trainyard::rl
