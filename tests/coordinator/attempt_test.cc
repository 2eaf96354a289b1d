#include "coordinator/core/attempt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/coordinator/core_harness.h"

namespace trainyard::coordinator {
namespace {

class AttemptTest : public testing::Test {
 protected:
  void SetUp() override { harness_.Register("a", 0, 8000); }
  uint64_t Uid(const std::string& job, const std::string& task) {
    return harness_.TasksOf(job).at(task).task_uid;
  }
  CoreHarness harness_;
};

TEST_F(AttemptTest, NoAgentIsToldToStartBeforeThePreflightWentWell) {
  JobDraft draft = TrainDraft("t", 2, Asks(0, 1000));
  draft.shape.preflight = true;
  const std::string id = harness_.Submit(draft);
  EXPECT_EQ(harness_.attempt(id).state, AttemptState::kPlaced);
  EXPECT_TRUE(harness_.DesiredOf("a").empty());
  const auto preflights = harness_.Orders<PreflightOrder>();
  ASSERT_EQ(preflights.size(), 1);
  EXPECT_EQ(preflights[0].second.epoch, 1);
  harness_.Step(AgentPreflight{preflights[0].first, id, 1, true, {}});
  EXPECT_EQ(harness_.attempt(id).state, AttemptState::kStarting);
  EXPECT_EQ(harness_.DesiredOf("a").size(), 2);
}

TEST_F(AttemptTest, APreflightThatFindsAUserErrorFailsTheJobWithThePath) {
  JobDraft draft = TrainDraft("t", 1, Asks(0, 1000));
  draft.shape.preflight = true;
  const std::string id = harness_.Submit(draft);
  EndReason problem;
  problem.end_class = EndClass::kUserError;
  problem.message = "root://data/x.jsonl is not there";
  harness_.Step(AgentPreflight{harness_.session_of("a"), id, 1, false, problem});
  EXPECT_EQ(harness_.job(id).state, JobState::kFailed);
  EXPECT_EQ(harness_.job(id).end.message, problem.message);
  EXPECT_TRUE(harness_.state().nodes.at("a").tasks.empty()) << "nothing was started: all is free";
}

TEST_F(AttemptTest, ThePreflightIsAskedAgainWhenItsAgentReconnects) {
  JobDraft draft = TrainDraft("t", 1, Asks(0, 1000));
  draft.shape.preflight = true;
  harness_.Submit(draft);
  harness_.Disconnect("a");
  harness_.Register("a", 0, 8000);
  EXPECT_EQ(harness_.Orders<PreflightOrder>().size(), 1);
}

TEST_F(AttemptTest, AnAttemptRunsWhenTheWholeGangIsReady) {
  const std::string id = harness_.Submit(TrainDraft("t", 2, Asks(0, 1000)));
  harness_.Hello(Uid(id, "trainer/0"));
  EXPECT_EQ(harness_.attempt(id).state, AttemptState::kStarting);
  harness_.Hello(Uid(id, "trainer/1"));
  EXPECT_EQ(harness_.attempt(id).state, AttemptState::kRunning);
}

TEST_F(AttemptTest, TheAssignmentCarriesTheTokens) {
  const std::string id = harness_.Submit(TrainDraft("t", 2, Asks(0, 1000)));
  const uint64_t uid = Uid(id, "trainer/1");
  const Assignment assignment = harness_.DesiredOf("a").at(uid).assignment;
  EXPECT_EQ(assignment.job_id, id);
  EXPECT_EQ(assignment.task_uid, uid);
  EXPECT_EQ(assignment.epoch, 1);
  EXPECT_EQ(assignment.attempt, 1);
  EXPECT_EQ(assignment.secret, "secret of " + id);
  EXPECT_EQ(assignment.role_count, 2);
  EXPECT_EQ(assignment.term, harness_.core().term());
}

TEST_F(AttemptTest, AJobSucceedsWhenItsOutputsAreCommittedAndItsTasksAreGone) {
  const std::string id = harness_.Submit(TrainDraft("t", 2, Asks(0, 1000)));
  harness_.AllReady(id);
  ASSERT_TRUE(harness_.Finish(Uid(id, "trainer/0")).ok());
  EXPECT_EQ(harness_.job(id).state, JobState::kActive);
  EXPECT_EQ(harness_.attempt(id).state, AttemptState::kStopping);
  EXPECT_TRUE(harness_.disk().artifacts.empty());
  harness_.AllExit(id, EndClass::kInternal);
  EXPECT_EQ(harness_.job(id).state, JobState::kSucceeded) << "exit codes after that do not matter";
  EXPECT_EQ(harness_.disk().artifacts.size(), 1) << "in the same transaction";
  EXPECT_EQ(harness_.last().batch->artifacts[0].revision, harness_.job(id).revision);
}

TEST_F(AttemptTest, ACancelledJobThatWasFinishedHasSucceeded) {
  const std::string id = harness_.Submit(TrainDraft("t", 1, Asks(0, 1000)));
  harness_.AllReady(id);
  ASSERT_TRUE(harness_.Finish(Uid(id, "trainer/0")).ok());
  ASSERT_TRUE(harness_.Change(JobVerb::kCancel, id).ok());
  harness_.AllExit(id);
  EXPECT_EQ(harness_.job(id).state, JobState::kSucceeded);
}

TEST_F(AttemptTest, RightsAreWithdrawnWhenTheGraceIsOver) {
  const std::string id = harness_.Submit(TrainDraft("t", 1, Asks(0, 1000)));
  harness_.AllReady(id);
  const uint64_t uid = Uid(id, "trainer/0");
  ASSERT_TRUE(harness_.Change(JobVerb::kCancel, id).ok());
  EXPECT_TRUE(harness_.Commit(uid, 1).ok()) << "within its grace it may still save";
  harness_.Pass(absl::Seconds(11));
  EXPECT_EQ(harness_.job(id).state, JobState::kActive);
  EXPECT_TRUE(harness_.attempt(id).fenced);
  EXPECT_TRUE(absl::IsAborted(harness_.Commit(uid, 2)));
}

TEST_F(AttemptTest, ATaskThatNobodyReportsIsGivenUpButKeepsItsSlot) {
  const std::string id = harness_.Submit(TrainDraft("t", 1, Asks(0, 1000)));
  harness_.AllReady(id);
  const uint64_t uid = Uid(id, "trainer/0");
  ASSERT_TRUE(harness_.Change(JobVerb::kCancel, id).ok());
  harness_.Pass(absl::Seconds(80));
  EXPECT_EQ(harness_.job(id).state, JobState::kCancelled);
  EXPECT_EQ(harness_.task(uid).state, TaskState::kLost);
  EXPECT_EQ(harness_.state().nodes.at("a").tasks.count(uid), 1);
  EXPECT_TRUE(harness_.DesiredOf("a").at(uid).stop);
  harness_.ExitOf(uid, EndClass::kSignal);
  EXPECT_TRUE(harness_.state().nodes.at("a").tasks.empty());
  EXPECT_EQ(harness_.job(id).state, JobState::kCancelled);
}

TEST_F(AttemptTest, AGangThatNeverGetsReadyFailsAndIsTriedAgain) {
  JobDraft draft = TrainDraft("t", 2, Asks(0, 1000));
  draft.shape.start_limit = absl::Seconds(20);
  const std::string id = harness_.Submit(draft);
  harness_.Hello(Uid(id, "trainer/0"));
  harness_.Pass(absl::Seconds(21));
  EXPECT_EQ(harness_.attempt(id).state, AttemptState::kStopping);
  EXPECT_EQ(harness_.attempt(id).end.end_class, EndClass::kHang);
  harness_.AllExit(id);
  EXPECT_EQ(harness_.job(id).state, JobState::kQueued);
  EXPECT_EQ(harness_.job(id).attempts_without_commit, 1);
}

TEST_F(AttemptTest, TasksThatAllEndWellWithoutOutputsAreAFailure) {
  const std::string id = harness_.Submit(TrainDraft("t", 2, Asks(0, 1000)));
  harness_.AllReady(id);
  harness_.AllExit(id, EndClass::kSucceeded);
  EXPECT_EQ(harness_.job(id).state, JobState::kActive) << "the last commit may be on its way";
  harness_.Pass(absl::Seconds(6));
  EXPECT_THAT(harness_.job(id).reason, testing::HasSubstr("never committed"));
}

TEST_F(AttemptTest, AJobThatRunsTooLongSavesAndFails) {
  JobDraft draft = TrainDraft("t", 1, Asks(0, 1000));
  draft.shape.max_duration = absl::Seconds(30);
  const std::string id = harness_.Submit(draft);
  harness_.AllReady(id);
  harness_.Pass(absl::Seconds(31));
  EXPECT_TRUE(harness_.attempt(id).stop_checkpoint);
  harness_.AllExit(id, EndClass::kDrained);
  EXPECT_EQ(harness_.job(id).state, JobState::kFailed);
  EXPECT_EQ(harness_.job(id).end.end_class, EndClass::kDeadline);
}

}  // namespace
}  // namespace trainyard::coordinator
