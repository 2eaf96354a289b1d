#include "coordinator/core/checkpoints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/coordinator/core_harness.h"

namespace trainyard::coordinator {
namespace {

using ::testing::ElementsAre;

class CheckpointsTest : public testing::Test {
 protected:
  void SetUp() override {
    harness_.Register("a", 0, 4000);
    id_ = harness_.Submit(TrainDraft("t", 1, Asks(0, 1000)));
    harness_.AllReady(id_);
    uid_ = harness_.TasksOf(id_).at("trainer/0").task_uid;
  }
  CommitCheckpoint Request(int64_t step) {
    CommitCheckpoint commit;
    commit.call = 1;
    commit.task = {id_, harness_.job(id_).epoch, uid_, "secret of " + id_};
    commit.request_id = "r-" + std::to_string(step);
    commit.step = step;
    commit.uri =
        "root://runs/t/e" + std::to_string(commit.task.epoch) + "/step-" + std::to_string(step);
    return commit;
  }
  std::vector<int64_t> Steps() {
    std::vector<int64_t> steps;
    for (const auto& row : harness_.state().jobs.at(id_).checkpoints) steps.push_back(row.step);
    return steps;
  }
  CoreHarness harness_;
  std::string id_;
  uint64_t uid_ = 0;
};

TEST_F(CheckpointsTest, TheRowIsTheCommit) {
  ASSERT_TRUE(harness_.Commit(uid_, 5).ok());
  EXPECT_EQ(harness_.disk().checkpoints.size(), 1);
  EXPECT_EQ(std::get<CommitAnswer>(harness_.last().replies[0].value).revision,
            harness_.last().batch->revision);
  EXPECT_EQ(harness_.last().revision, harness_.last().batch->revision);
}

TEST_F(CheckpointsTest, TheSameRequestIsAnsweredTheSameEvenWhenTheEpochIsOver) {
  for (int64_t step : {1, 2, 3}) ASSERT_TRUE(harness_.Commit(uid_, step).ok());
  const CommitAnswer first = std::get<CommitAnswer>(harness_.last().replies[0].value);
  EXPECT_THAT(first.prune, ElementsAre("root://runs/t/e1/step-1"));
  ASSERT_TRUE(harness_.Commit(uid_, 3).ok());
  const CommitAnswer again = std::get<CommitAnswer>(harness_.last().replies[0].value);
  EXPECT_EQ(again.revision, first.revision);
  EXPECT_EQ(again.prune, first.prune);
  EXPECT_EQ(harness_.last().batch, nullptr);
}

TEST_F(CheckpointsTest, RowsThatMayBePrunedAreGoneWithTheCommitThatNamesThem) {
  for (int64_t step : {1, 2, 3, 4}) ASSERT_TRUE(harness_.Commit(uid_, step).ok());
  EXPECT_THAT(Steps(), ElementsAre(4, 3));
  EXPECT_EQ(harness_.disk().checkpoints.size(), 2);
}

TEST_F(CheckpointsTest, TheBestIsKeptBesidesTheNewest) {
  const auto rows = [](std::vector<std::optional<double>> metrics) {
    std::vector<CheckpointRow> result;
    for (size_t i = 0; i < metrics.size(); ++i) {
      CheckpointRow row;
      row.step = static_cast<int64_t>(metrics.size() - i);
      row.metric = metrics[i];
      result.push_back(row);
    }
    return result;
  };
  const auto pruned = [](const std::vector<CheckpointRow>& all) {
    std::vector<int64_t> steps;
    for (const CheckpointRow& row : Prunable(all, 2)) steps.push_back(row.step);
    return steps;
  };
  EXPECT_THAT(pruned(rows({0.5, 0.4, 0.1, 0.3})), ElementsAre(1));
  EXPECT_THAT(pruned(rows({{}, {}, 0.1, 0.3})), ElementsAre(1));
  EXPECT_THAT(pruned(rows({{}, {}, {}, {}})), ElementsAre(2, 1));
  auto higher = rows({0.5, 0.4, 0.1, 0.9});
  for (CheckpointRow& row : higher) row.metric_higher_is_better = true;
  EXPECT_THAT(pruned(higher), ElementsAre(2));
}

TEST_F(CheckpointsTest, AnEpochThatIsOverCanNotCommit) {
  const CommitCheckpoint old = Request(9);
  harness_.ExitOf(uid_, EndClass::kSignal);
  harness_.Pass(absl::Seconds(3));
  ASSERT_EQ(harness_.job(id_).attempt, 2);
  harness_.Step(old);
  EXPECT_TRUE(absl::IsAborted(harness_.answer()));
  EXPECT_EQ(harness_.last().replies[0].reason, "STALE_EPOCH");
  EXPECT_THAT(Steps(), ElementsAre());
}

TEST_F(CheckpointsTest, AnEpochWritesOnlyInItsOwnDirectoryAndForward) {
  CommitCheckpoint elsewhere = Request(9);
  elsewhere.uri = "root://runs/t/e7/step-9";
  harness_.Step(elsewhere);
  EXPECT_TRUE(absl::IsInvalidArgument(harness_.answer()));
  harness_.Step(Request(9));
  ASSERT_TRUE(harness_.answer().ok());
  harness_.Step(Request(8));
  EXPECT_TRUE(absl::IsFailedPrecondition(harness_.answer()));
}

TEST_F(CheckpointsTest, ANewAttemptRestoresTheNewestFirst) {
  for (int64_t step : {3, 6}) ASSERT_TRUE(harness_.Commit(uid_, step).ok());
  harness_.ExitOf(uid_, EndClass::kSignal);
  harness_.Pass(absl::Seconds(3));
  const uint64_t next = harness_.TasksOf(id_).at("trainer/0").task_uid;
  const auto restore = harness_.DesiredOf("a").at(next).assignment.restore;
  ASSERT_EQ(restore.size(), 2);
  EXPECT_EQ(restore[0].step, 6);
  EXPECT_EQ(restore[1].step, 3);
  EXPECT_EQ(harness_.attempt(id_).restored_step, 6);
}

TEST_F(CheckpointsTest, FinishIsIdempotentAndLast) {
  ASSERT_TRUE(harness_.Finish(uid_).ok());
  ASSERT_TRUE(harness_.Finish(uid_).ok());
  EXPECT_EQ(harness_.last().batch, nullptr);
  EXPECT_TRUE(absl::IsFailedPrecondition(harness_.Commit(uid_, 99)));
  harness_.AllExit(id_);
  ASSERT_TRUE(harness_.Finish(uid_).ok()) << "an answer that was lost is given again";
  EXPECT_EQ(harness_.job(id_).outputs[0].epoch, 1);
}

}  // namespace
}  // namespace trainyard::coordinator
