#include "ppo/ledger.h"

#include "absl/strings/str_split.h"
#include "base/atomic_file.h"
#include "gtest/gtest.h"
#include "tests/support/process.h"

namespace trainyard::ppo {
namespace {

std::vector<rl::Trajectory> Samples(int64_t first_row, int64_t rows, int64_t per_row) {
  std::vector<rl::Trajectory> samples;
  for (int64_t row = first_row; row < first_row + rows; ++row) {
    for (int64_t sample = 0; sample < per_row; ++sample) {
      rl::Trajectory& added = samples.emplace_back();
      added.row = row;
      added.sample = sample;
    }
  }
  return samples;
}

std::unique_ptr<Ledger> Fresh() { return *Ledger::Open({}, ""); }

TEST(LedgerTest, RowsFollowEachOtherAndAreConsumedOnce) {
  const auto ledger = Fresh();
  EXPECT_EQ(ledger->Draw(3, 2).value_or(-1), 0);
  ASSERT_TRUE(ledger->Consume(Samples(0, 3, 2), std::vector<std::string>(6)).ok());
  EXPECT_EQ(ledger->Draw(2, 1).value_or(-1), 3);
  ASSERT_TRUE(ledger->Consume(Samples(3, 2, 1), {"", "REJECTED"}).ok());
  EXPECT_EQ(ledger->next_iteration(), 2);
  EXPECT_EQ(ledger->rows().next_row(), 5);
  EXPECT_EQ(ledger->rows().CountExcluded("REJECTED"), 1);
}

TEST(LedgerTest, NothingNewIsDrawnWhileRowsAreInFlight) {
  const auto ledger = Fresh();
  ASSERT_TRUE(ledger->Draw(3, 2).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(ledger->Draw(3, 2).status()));
}

TEST(LedgerTest, AnIterationThatIsNotWhatWasDrawnChangesNothing) {
  const auto ledger = Fresh();
  ASSERT_TRUE(ledger->Draw(2, 2).ok());
  EXPECT_TRUE(absl::IsInternal(ledger->Consume(Samples(0, 1, 2), {"", ""}))) << "a sample is gone";
  auto swapped = Samples(0, 2, 2);
  std::swap(swapped[1], swapped[2]);
  EXPECT_TRUE(absl::IsInternal(ledger->Consume(swapped, std::vector<std::string>(4))));
  auto twice = Samples(0, 2, 2);
  twice[3] = twice[2];
  EXPECT_TRUE(absl::IsInternal(ledger->Consume(twice, std::vector<std::string>(4))));
  EXPECT_EQ(ledger->rows().next_row(), 0);
  EXPECT_TRUE(ledger->Consume(Samples(0, 2, 2), std::vector<std::string>(4)).ok());
}

TEST(LedgerTest, ARestartDrawsWhatWasNotCommittedAgainUnderTheSameNumbers) {
  rl::LedgerRows committed;
  ASSERT_TRUE(committed.Append({0, 0, 4, 1, "d", {}}).ok());
  const auto before = *Ledger::Open(committed, "");
  EXPECT_EQ(before->Draw(2, 1).value_or(-1), 4);
  const auto after = *Ledger::Open(committed, "");
  EXPECT_EQ(after->Draw(2, 1).value_or(-1), 4);
}

TEST(LedgerTest, PeopleCanReadWhatHappened) {
  const trainyard::testing::TempDir dir;
  {
    const auto ledger = Ledger::Open({}, dir.File("ledger.jsonl"));
    ASSERT_TRUE(ledger.ok()) << ledger.status();
    ASSERT_TRUE((*ledger)->Draw(1, 1).ok());
    ASSERT_TRUE((*ledger)->Consume(Samples(0, 1, 1), {""}).ok());
  }
  std::vector<std::string> events;
  for (const auto line : absl::StrSplit(*ReadFile(dir.File("ledger.jsonl")), '\n')) {
    if (line.empty()) continue;
    events.push_back((*ParseJson(line, "ledger"))["event"].get<std::string>());
  }
  EXPECT_EQ(events, (std::vector<std::string>{"open", "draw", "consume"}));
}

}  // namespace
}  // namespace trainyard::ppo
