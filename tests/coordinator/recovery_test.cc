#include "coordinator/core/recovery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/coordinator/core_harness.h"

namespace trainyard::coordinator {
namespace {

class RecoveryTest : public testing::Test {
 protected:
  void SetUp() override {
    harness_.Register("a", 0, 4000);
    harness_.Register("b", 0, 4000);
    id_ = harness_.Submit(TrainDraft("t", 3, Asks(0, 2000)));
    harness_.AllReady(id_);
  }
  uint64_t Uid(const std::string& task) { return harness_.TasksOf(id_).at(task).task_uid; }
  // Attempt after attempt ends in this way at once.
  void FailOnce(EndClass end_class) {
    harness_.ExitOf(harness_.TasksOf(id_).begin()->second.task_uid, end_class, "it broke");
    harness_.Pass(absl::Milliseconds(700));
    harness_.AllExit(id_);
  }
  CoreHarness harness_;
  std::string id_;
};

TEST_F(RecoveryTest, AnyTaskThatDiesTakesItsAttemptWithItAndANewEpochBegins) {
  const uint64_t epoch = harness_.job(id_).epoch;
  harness_.ExitOf(Uid("trainer/1"), EndClass::kSignal, "killed by signal 9");
  EXPECT_EQ(harness_.attempt(id_).state, AttemptState::kRunning) << "held for 500 ms";
  harness_.Pass(absl::Milliseconds(600));
  EXPECT_EQ(harness_.attempt(id_).state, AttemptState::kStopping);
  harness_.AllExit(id_, EndClass::kDrained);
  EXPECT_EQ(harness_.job(id_).state, JobState::kQueued);
  harness_.Pass(absl::Seconds(2));
  EXPECT_EQ(harness_.job(id_).state, JobState::kActive);
  EXPECT_EQ(harness_.job(id_).attempt, 2);
  EXPECT_GT(harness_.job(id_).epoch, epoch);
}

TEST_F(RecoveryTest, AStrongerCauseWithinTheHoldIsTheFirstCause) {
  harness_.End(Uid("trainer/0"), EndClass::kPeerLost, "trainer/2 is gone");
  harness_.Pass(absl::Milliseconds(200));
  harness_.End(Uid("trainer/1"), EndClass::kInternal, "an error");
  harness_.Pass(absl::Milliseconds(100));
  harness_.ExitOf(Uid("trainer/2"), EndClass::kOutOfMemory, "it grew beyond 8 GiB");
  harness_.Pass(absl::Milliseconds(400));
  EXPECT_EQ(harness_.attempt(id_).end.end_class, EndClass::kOutOfMemory);
  EXPECT_THAT(harness_.attempt(id_).end.task, testing::StartsWith("trainer/2 on "));
}

TEST_F(RecoveryTest, APeerLostIsTheCauseOnlyWhenNothingElseIsReported) {
  harness_.End(Uid("trainer/0"), EndClass::kPeerLost, "trainer/2 is gone");
  harness_.Pass(absl::Milliseconds(600));
  EXPECT_EQ(harness_.attempt(id_).end.end_class, EndClass::kPeerLost);
}

TEST_F(RecoveryTest, WhatATaskSaidOutranksItsExitCodeButNotASignal) {
  Task task;
  task.record.state = TaskState::kExited;
  task.record.end.end_class = EndClass::kInternal;
  task.record.end.exit_code = 66;
  EndReason own;
  own.end_class = EndClass::kUserError;
  own.message = "row 17";
  task.record.own_end = own;
  EXPECT_EQ(FailureOf(task)->end_class, EndClass::kUserError);
  EXPECT_EQ(FailureOf(task)->exit_code, 66);
  task.record.end.end_class = EndClass::kSignal;
  EXPECT_EQ(FailureOf(task)->end_class, EndClass::kSignal);
  task.record.stop = true;
  EXPECT_FALSE(FailureOf(task).has_value()) << "it was told to stop";
}

TEST_F(RecoveryTest, ATaskThatLeavesUnaskedWasKilledFromOutside) {
  harness_.End(Uid("trainer/0"), EndClass::kDrained, "SIGTERM");
  harness_.Pass(absl::Milliseconds(600));
  EXPECT_EQ(harness_.attempt(id_).end.end_class, EndClass::kSignal);
}

TEST_F(RecoveryTest, TheCausesAreRanked) {
  const EndClass ranked[] = {EndClass::kSignal, EndClass::kNodeLost, EndClass::kUserError,
                             EndClass::kHang, EndClass::kPeerLost};
  for (size_t i = 0; i + 1 < std::size(ranked); ++i) {
    EXPECT_LT(CauseRank(ranked[i]), CauseRank(ranked[i + 1]));
  }
  EXPECT_EQ(CauseRank(EndClass::kOutOfMemory), CauseRank(EndClass::kSignal));
  EXPECT_EQ(CauseRank(EndClass::kNan), CauseRank(EndClass::kUserError));
}

TEST_F(RecoveryTest, ThreeAttemptsWithoutACommitFailTheJob) {
  for (int attempt = 1; attempt <= 3; ++attempt) {
    ASSERT_EQ(harness_.job(id_).attempt, attempt);
    FailOnce(EndClass::kInternal);
    harness_.Pass(absl::Seconds(5));
  }
  EXPECT_EQ(harness_.job(id_).state, JobState::kFailed);
  EXPECT_THAT(harness_.job(id_).reason, testing::HasSubstr("3 attempts in a row"));
}

TEST_F(RecoveryTest, ACommitStartsTheCountAnew) {
  for (int attempt = 1; attempt <= 5; ++attempt) {
    ASSERT_EQ(harness_.job(id_).attempt, attempt);
    ASSERT_TRUE(harness_.Commit(Uid("trainer/0"), attempt * 10).ok());
    FailOnce(EndClass::kInternal);
    harness_.Pass(absl::Seconds(5));
  }
  EXPECT_EQ(harness_.job(id_).state, JobState::kActive);
}

TEST_F(RecoveryTest, UserErrorsAreNeverTriedAgain) {
  FailOnce(EndClass::kUserError);
  EXPECT_EQ(harness_.job(id_).state, JobState::kFailed);
  EXPECT_EQ(harness_.job(id_).end.message, "it broke");
}

TEST_F(RecoveryTest, ALostNodeDoesNotCountAndItsSlotsStayTaken) {
  const std::string node = harness_.TasksOf(id_).at("trainer/2").node;
  const std::string other = node == "a" ? "b" : "a";
  harness_.Disconnect(node);
  harness_.Pass(absl::Seconds(11));
  EXPECT_EQ(harness_.attempt(id_).end.end_class, EndClass::kNodeLost);
  for (const auto& [name, task] : harness_.TasksOf(id_)) {
    if (task.node == other) harness_.ExitOf(task.task_uid, EndClass::kDrained);
  }
  EXPECT_EQ(harness_.job(id_).state, JobState::kQueued);
  EXPECT_EQ(harness_.job(id_).attempts_without_commit, 0);
  EXPECT_FALSE(harness_.state().nodes.at(node).tasks.empty());
  harness_.Register("c", 0, 4000);
  EXPECT_EQ(harness_.job(id_).state, JobState::kActive) << "elsewhere at once";
}

TEST_F(RecoveryTest, PausesBetweenTriesDoubleUpToTheLongest) {
  const CoreOptions options;
  EXPECT_EQ(Backoff(options, 1), absl::Seconds(1));
  EXPECT_EQ(Backoff(options, 2), absl::Seconds(2));
  EXPECT_EQ(Backoff(options, 4), absl::Seconds(8));
  EXPECT_EQ(Backoff(options, 100), absl::Seconds(60));
}

TEST_F(RecoveryTest, TheHoldSurvivesACoordinatorThatDiesInIt) {
  harness_.ExitOf(Uid("trainer/1"), EndClass::kSignal, "killed");
  harness_.Restart();
  harness_.Pass(absl::Seconds(1));
  EXPECT_EQ(harness_.attempt(id_).state, AttemptState::kStopping);
  EXPECT_EQ(harness_.attempt(id_).end.end_class, EndClass::kSignal);
}

}  // namespace
}  // namespace trainyard::coordinator
