#include "coordinator/core/run_place.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/coordinator/core_harness.h"

namespace trainyard::coordinator {
namespace {

using ::testing::HasSubstr;

// A job of its own name in a directory that others may want too.
JobDraft In(const std::string& name, const std::string& run_uri) {
  JobDraft draft = TrainDraft(name, 1, Asks(0, 1000));
  draft.shape.run_uri = run_uri;
  return draft;
}

class RunPlaceTest : public testing::Test {
 protected:
  void SetUp() override { harness_.Register("a", 0, 4000); }
  void Restart() {
    harness_.Restart();
    harness_.Register("a", 0, 4000);
  }
  CoreHarness harness_;
};

TEST_F(RunPlaceTest, ALiveJobHasItsRunUriToItself) {
  const std::string first = harness_.Submit(In("first", "root://runs/x"));
  for (int again = 0; again < 2; ++again) {
    harness_.Submit(In("second", "root://runs/x"));
    EXPECT_TRUE(absl::IsAlreadyExists(harness_.answer())) << harness_.answer();
    EXPECT_EQ(harness_.last().replies[0].reason, "RUN_URI_TAKEN");
    const std::string message(harness_.answer().message());
    EXPECT_THAT(message, HasSubstr("root://runs/x belongs to job " + first));
    EXPECT_THAT(message, HasSubstr("'first'"));
    Restart();  // the same after a restart
  }
  harness_.Submit(In("beside", "root://runs/x2"));
  EXPECT_TRUE(harness_.answer().ok()) << harness_.answer();
}

TEST_F(RunPlaceTest, TheNextJobOfARunUriWritesBesideWhatIsThere) {
  const std::string first = harness_.Submit(In("first", "root://runs/x"));
  harness_.AllReady(first);
  ASSERT_TRUE(harness_.Finish(harness_.TasksOf(first).at("trainer/0").task_uid).ok());
  harness_.AllExit(first);
  ASSERT_EQ(harness_.job(first).state, JobState::kSucceeded);
  const uint64_t last = harness_.job(first).epoch;
  Restart();
  const std::string second = harness_.Submit(In("second", "root://runs/x"));
  ASSERT_TRUE(harness_.answer().ok()) << harness_.answer();
  EXPECT_GT(harness_.attempt(second).epoch, last);
  EXPECT_EQ(harness_.attempt(second).number, 1);
}

TEST_F(RunPlaceTest, ARetriedJobWaitsForItsDirectoryAndComesBackAboveTheOther) {
  const std::string first = harness_.Submit(In("first", "root://runs/x"));
  ASSERT_TRUE(harness_.Change(JobVerb::kCancel, first).ok());
  harness_.AllExit(first);
  const std::string second = harness_.Submit(In("second", "root://runs/x"));
  ASSERT_TRUE(harness_.answer().ok()) << harness_.answer();
  const absl::Status refused = harness_.Change(JobVerb::kRetry, first);
  EXPECT_TRUE(absl::IsAlreadyExists(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr(second));
  ASSERT_TRUE(harness_.Change(JobVerb::kCancel, second).ok());
  harness_.AllExit(second);
  const uint64_t epoch = harness_.job(second).epoch;
  ASSERT_TRUE(harness_.Change(JobVerb::kRetry, first).ok());
  EXPECT_GT(harness_.attempt(first).epoch, epoch);
}

TEST_F(RunPlaceTest, StagesOfAPipelineDoNotShareOneEither) {
  SubmitPipeline submit;
  submit.call = 1;
  submit.request_id = submit.body_digest = "p";
  submit.id = "pipe-1";
  submit.name = "line";
  submit.stages = {In("a", "root://runs/x"), In("b", "root://runs/x")};
  submit.stages[0].id = "id-a";
  submit.stages[1].id = "id-b";
  harness_.Step(submit);
  EXPECT_TRUE(absl::IsInvalidArgument(harness_.answer())) << harness_.answer();
  EXPECT_THAT(std::string(harness_.answer().message()), HasSubstr("'a' and 'b'"));
  EXPECT_TRUE(harness_.state().jobs.empty());
}

TEST_F(RunPlaceTest, APipelineIsNotRetriedIntoADirectoryThatSomebodyElseHolds) {
  SubmitPipeline submit;
  submit.call = 1;
  submit.request_id = submit.body_digest = "p";
  submit.id = "pipe-1";
  submit.name = "line";
  submit.stages = {In("a", "root://runs/x")};
  submit.stages[0].id = "id-a";
  harness_.Step(submit);
  harness_.Step(ChangePipeline{2, "alice", JobVerb::kCancel, "pipe-1", ""});
  harness_.AllExit("id-a");
  harness_.Submit(In("other", "root://runs/x"));
  ASSERT_TRUE(harness_.answer().ok()) << harness_.answer();
  harness_.Step(ChangePipeline{3, "alice", JobVerb::kRetry, "pipe-1", ""});
  EXPECT_TRUE(absl::IsAlreadyExists(harness_.answer())) << harness_.answer();
  EXPECT_EQ(harness_.job("id-a").state, JobState::kCancelled);
}

}  // namespace
}  // namespace trainyard::coordinator
