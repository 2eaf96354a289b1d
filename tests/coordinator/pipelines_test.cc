#include "coordinator/core/pipelines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/coordinator/core_harness.h"

namespace trainyard::coordinator {
namespace {

class PipelinesTest : public testing::Test {
 protected:
  void SetUp() override {
    harness_.Register("a", 0, 4000);
    SubmitPipeline submit;
    submit.call = 1;
    submit.request_id = "r";
    submit.id = "pipe-1";
    submit.name = "line";
    for (const char* name : {"one", "two", "three"}) {
      JobDraft stage = TrainDraft(name, 1, Asks(0, 1000));
      stage.id = name;
      stage.secret = "secret";
      submit.stages.push_back(stage);
    }
    submit.stages[1].shape.inputs = {{"one/model", "one", "model"}};
    submit.stages[2].shape.after = {"two"};
    harness_.Step(submit);
    ASSERT_TRUE(harness_.answer().ok()) << harness_.answer();
  }
  void Succeed(const std::string& id, const std::string& output = "model") {
    harness_.AllReady(id);
    ASSERT_TRUE(harness_.Finish(harness_.TasksOf(id).at("trainer/0").task_uid, output).ok());
    harness_.AllExit(id);
    ASSERT_EQ(harness_.job(id).state, JobState::kSucceeded);
  }
  void FailStage(const std::string& id) {
    harness_.AllExit(id, EndClass::kUserError);
    harness_.Pass(absl::Seconds(1));
    ASSERT_EQ(harness_.job(id).state, JobState::kFailed);
  }
  CoreHarness harness_;
};

TEST_F(PipelinesTest, AStageStartsWhenTheOneBeforeSucceededWithItsInputByDigest) {
  EXPECT_EQ(harness_.job("one").state, JobState::kActive);
  EXPECT_EQ(harness_.job("two").state, JobState::kBlocked);
  EXPECT_THAT(harness_.job("two").reason, testing::HasSubstr("'one'"));
  Succeed("one");
  EXPECT_EQ(harness_.job("two").state, JobState::kActive);
  const uint64_t uid = harness_.TasksOf("two").at("trainer/0").task_uid;
  const auto inputs = harness_.DesiredOf("a").at(uid).assignment.inputs;
  EXPECT_EQ(inputs.at("one/model").manifest_sha256, std::string(64, 'b'));
  EXPECT_EQ(inputs.at("one/model").job_id, "one");
  EXPECT_EQ(harness_.job("three").state, JobState::kBlocked);
}

TEST_F(PipelinesTest, AFailedStageCancelsEverythingAfterIt) {
  FailStage("one");
  for (const char* id : {"two", "three"}) {
    EXPECT_EQ(harness_.job(id).state, JobState::kCancelled) << id;
    EXPECT_EQ(harness_.job(id).end.end_class, EndClass::kUpstream) << id;
  }
  EXPECT_THAT(harness_.job("two").end.message, testing::HasSubstr("'one'"));
}

TEST_F(PipelinesTest, RetryGoesOnFromTheFirstStageThatFailed) {
  Succeed("one");
  FailStage("two");
  harness_.Step(ChangePipeline{2, "alice", JobVerb::kRetry, "line", ""});
  ASSERT_TRUE(harness_.answer().ok()) << harness_.answer();
  EXPECT_EQ(harness_.job("one").state, JobState::kSucceeded);
  EXPECT_EQ(harness_.job("two").state, JobState::kActive);
  EXPECT_EQ(harness_.job("three").state, JobState::kBlocked);
}

TEST_F(PipelinesTest, AStageAloneCanNotBeRetriedBeforeWhatItNeeds) {
  FailStage("one");
  EXPECT_TRUE(absl::IsFailedPrecondition(harness_.Change(JobVerb::kRetry, "two")));
}

TEST_F(PipelinesTest, CancelEndsEveryStageThatIsNotOver) {
  Succeed("one");
  harness_.Step(ChangePipeline{2, "alice", JobVerb::kCancel, "pipe-1", "enough"});
  EXPECT_TRUE(harness_.answer().ok());
  harness_.AllExit("two");
  EXPECT_EQ(harness_.job("one").state, JobState::kSucceeded);
  EXPECT_EQ(harness_.job("two").state, JobState::kCancelled);
  EXPECT_EQ(harness_.job("two").end.message, "enough");
  EXPECT_EQ(harness_.job("three").state, JobState::kCancelled);
  harness_.Step(ChangePipeline{3, "alice", JobVerb::kCancel, "nothing", ""});
  EXPECT_TRUE(absl::IsNotFound(harness_.answer()));
}

TEST_F(PipelinesTest, AnOutputThatWasNeverWrittenFailsTheStageThatWantsIt) {
  Succeed("one", "tokenizer");
  EXPECT_EQ(harness_.job("two").state, JobState::kFailed);
  EXPECT_EQ(harness_.job("two").end.end_class, EndClass::kUserError);
  EXPECT_THAT(harness_.job("two").end.message,
              testing::AllOf(testing::HasSubstr("'model'"), testing::HasSubstr("tokenizer")));
}

TEST_F(PipelinesTest, AJobOutsideMayWaitForAStage) {
  JobDraft draft = TrainDraft("outside", 1, Asks(0, 1000));
  draft.shape.inputs = {{"jobs/one/model", "one", "model"}};
  const std::string id = harness_.Submit(draft);
  EXPECT_EQ(harness_.job(id).state, JobState::kBlocked);
  Succeed("one");
  EXPECT_EQ(harness_.job(id).state, JobState::kActive);
  EXPECT_EQ(harness_.job(id).inputs.count("jobs/one/model"), 1);
}

}  // namespace
}  // namespace trainyard::coordinator
