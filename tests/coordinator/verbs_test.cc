#include "coordinator/core/verbs.h"

#include <gtest/gtest.h>

#include "tests/coordinator/core_harness.h"

namespace trainyard::coordinator {
namespace {

class VerbsTest : public testing::Test {
 protected:
  void SetUp() override { harness_.Register("a", 0, 4000); }
  std::string Running() {
    const std::string id = harness_.Submit(TrainDraft("t", 1, Asks(0, 4000)));
    harness_.AllReady(id);
    return id;
  }
  CoreHarness harness_;
};

TEST_F(VerbsTest, CancelIsAcceptedInEveryStateAndTwice) {
  const std::string active = Running();
  JobDraft waiting = TrainDraft("w", 1, Asks(0, 4000));
  waiting.shape.after = {active};
  const std::string blocked = harness_.Submit(waiting);
  const std::string queued = harness_.Submit(TrainDraft("q", 1, Asks(0, 4000)));
  EXPECT_TRUE(harness_.Change(JobVerb::kCancel, blocked).ok());
  EXPECT_TRUE(harness_.Change(JobVerb::kCancel, queued).ok());
  EXPECT_EQ(harness_.job(blocked).state, JobState::kCancelled);
  EXPECT_EQ(harness_.job(queued).state, JobState::kCancelled);
  EXPECT_TRUE(harness_.Change(JobVerb::kCancel, active).ok());
  EXPECT_EQ(harness_.job(active).state, JobState::kActive) << "its task still runs";
  EXPECT_TRUE(harness_.Change(JobVerb::kCancel, active).ok());
  harness_.AllExit(active);
  EXPECT_EQ(harness_.job(active).state, JobState::kCancelled);
  EXPECT_TRUE(harness_.Change(JobVerb::kCancel, active).ok());
  EXPECT_EQ(harness_.job(active).end.end_class, EndClass::kCancelled);
}

TEST_F(VerbsTest, APausedJobSavesReleasesAndGoesOnThroughTheQueue) {
  const std::string id = Running();
  const uint64_t epoch = harness_.job(id).epoch;
  ASSERT_TRUE(harness_.Change(JobVerb::kPause, id).ok());
  const auto stops = harness_.Orders<StopOrder>();
  ASSERT_EQ(stops.size(), 1);
  EXPECT_TRUE(stops[0].second.checkpoint);
  harness_.AllExit(id, EndClass::kDrained);
  EXPECT_EQ(harness_.job(id).state, JobState::kPaused);
  EXPECT_GT(harness_.job(id).epoch, epoch) << "its rights are withdrawn";
  EXPECT_EQ(harness_.job(id).attempts_without_commit, 0);
  const std::string other = harness_.Submit(TrainDraft("o", 1, Asks(0, 4000)));
  EXPECT_EQ(harness_.job(other).state, JobState::kActive) << "the slot is free";
  ASSERT_TRUE(harness_.Change(JobVerb::kResume, id).ok());
  EXPECT_EQ(harness_.job(id).state, JobState::kQueued);
}

TEST_F(VerbsTest, AJobResumedWhileItStopsStartsAgain) {
  const std::string id = Running();
  ASSERT_TRUE(harness_.Change(JobVerb::kPause, id).ok());
  ASSERT_TRUE(harness_.Change(JobVerb::kResume, id).ok());
  harness_.AllExit(id, EndClass::kDrained);
  EXPECT_EQ(harness_.job(id).state, JobState::kActive);
  EXPECT_EQ(harness_.job(id).attempt, 2);
}

TEST_F(VerbsTest, ABlockedJobThatIsPausedWaitsPausedOnceItCouldRun) {
  const std::string first = Running();
  JobDraft draft = TrainDraft("w", 1, Asks(0, 4000));
  draft.shape.after = {first};
  const std::string second = harness_.Submit(draft);
  ASSERT_TRUE(harness_.Change(JobVerb::kPause, second).ok());
  EXPECT_EQ(harness_.job(second).state, JobState::kBlocked);
  ASSERT_TRUE(harness_.Finish(harness_.TasksOf(first).at("trainer/0").task_uid).ok());
  harness_.AllExit(first);
  EXPECT_EQ(harness_.job(second).state, JobState::kPaused);
  ASSERT_TRUE(harness_.Change(JobVerb::kResume, second).ok());
  EXPECT_EQ(harness_.job(second).state, JobState::kActive);
}

TEST_F(VerbsTest, RetryGoesOnFromTheLastCheckpointWithFreshAttempts) {
  const std::string id = Running();
  const uint64_t uid = harness_.TasksOf(id).at("trainer/0").task_uid;
  ASSERT_TRUE(harness_.Commit(uid, 7).ok());
  harness_.ExitOf(uid, EndClass::kUserError, "bad row");
  harness_.Pass(absl::Seconds(1));
  ASSERT_EQ(harness_.job(id).state, JobState::kFailed);
  EXPECT_EQ(harness_.job(id).end.message, "bad row");
  EXPECT_FALSE(harness_.Change(JobVerb::kPause, id).ok());
  ASSERT_TRUE(harness_.Change(JobVerb::kRetry, id).ok());
  EXPECT_EQ(harness_.job(id).state, JobState::kActive);
  EXPECT_EQ(harness_.attempt(id).restored_step, 7);
  EXPECT_EQ(harness_.job(id).end, EndReason{});
  EXPECT_TRUE(absl::IsFailedPrecondition(harness_.Change(JobVerb::kRetry, id)));
}

TEST_F(VerbsTest, RetryIsRefusedWhenALiveJobTookTheName) {
  const std::string id = Running();
  harness_.AllExit(id, EndClass::kUserError);
  harness_.Pass(absl::Seconds(1));
  harness_.Submit(TrainDraft("t", 1, Asks(0, 4000)));
  EXPECT_TRUE(absl::IsAlreadyExists(harness_.Change(JobVerb::kRetry, id)));
}

TEST_F(VerbsTest, AnUnknownJobIsNotFound) {
  EXPECT_TRUE(absl::IsNotFound(harness_.Change(JobVerb::kCancel, "nobody")));
  EXPECT_EQ(harness_.last().replies[0].reason, "NO_SUCH_JOB");
}

}  // namespace
}  // namespace trainyard::coordinator
