#include "coordinator/core/submit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/coordinator/core_harness.h"

namespace trainyard::coordinator {
namespace {

using ::testing::HasSubstr;

SubmitJob Submission(const std::string& name) {
  SubmitJob submit;
  submit.call = 1;
  submit.principal = "alice";
  submit.request_id = "request-1";
  submit.body_digest = "body-1";
  submit.job = TrainDraft(name, 1, Asks(0, 1000));
  submit.job.id = "id-of-" + name;
  submit.job.secret = "secret";
  return submit;
}

TEST(SubmitTest, TheSameRequestIsAnsweredWithTheSameJob) {
  CoreHarness harness;
  SubmitJob submit = Submission("a");
  harness.Step(submit);
  ASSERT_TRUE(harness.answer().ok()) << harness.answer();
  submit.job.id = "another-draw";
  const Decision& again = harness.Step(submit);
  ASSERT_TRUE(harness.answer().ok());
  EXPECT_EQ(std::get<JobRecord>(again.replies[0].value).id, "id-of-a");
  EXPECT_EQ(again.batch, nullptr);
  EXPECT_EQ(again.revision, harness.core().revision()) << "it waits for what it repeats";
  harness.Restart();
  harness.Step(submit);
  EXPECT_TRUE(harness.answer().ok()) << "also after a restart";
  EXPECT_EQ(harness.disk().jobs.size(), 1);
}

TEST(SubmitTest, AnotherBodyUnderTheSameRequestIsRefused) {
  CoreHarness harness;
  SubmitJob submit = Submission("a");
  harness.Step(submit);
  submit.body_digest = "body-2";
  harness.Step(submit);
  EXPECT_TRUE(absl::IsAlreadyExists(harness.answer()));
  EXPECT_EQ(harness.last().replies[0].reason, "REQUEST_ID_REUSED");
}

TEST(SubmitTest, ANameBelongsToOneLiveJob) {
  CoreHarness harness;
  const std::string first = harness.Submit(TrainDraft("same", 1, Asks(0, 1)));
  harness.Submit(TrainDraft("same", 1, Asks(0, 1)));
  EXPECT_TRUE(absl::IsAlreadyExists(harness.answer()));
  EXPECT_THAT(std::string(harness.answer().message()), HasSubstr(first));
  ASSERT_TRUE(harness.Change(JobVerb::kCancel, first).ok());
  harness.Submit(TrainDraft("same", 1, Asks(0, 1)));
  EXPECT_TRUE(harness.answer().ok());
}

TEST(SubmitTest, ValidateOnlyStoresNothing) {
  CoreHarness harness;
  SubmitJob submit = Submission("a");
  submit.validate_only = true;
  EXPECT_EQ(harness.Step(submit).batch, nullptr);
  EXPECT_TRUE(harness.answer().ok());
  EXPECT_TRUE(harness.state().jobs.empty());
}

TEST(SubmitTest, BadShapesAreNamed) {
  const auto refuse = [](void (*spoil)(JobShape&)) {
    JobShape shape = TrainDraft("a", 1, Asks(0, 1000)).shape;
    spoil(shape);
    return ValidateShape(shape, {});
  };
  EXPECT_TRUE(refuse([](JobShape&) {}).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(refuse([](JobShape& s) { s.roles.clear(); })));
  EXPECT_THAT(refuse([](JobShape& s) { s.roles[0].count = 0; }).ToString(), HasSubstr("trainer"));
  EXPECT_THAT(refuse([](JobShape& s) { s.roles[0].resources.gpus = 2; }).ToString(),
              HasSubstr("gpus is 2"));
  EXPECT_THAT(
      refuse([](JobShape& s) { s.roles[0].resources.gpu_memory_fraction = 1.5; }).ToString(),
      HasSubstr("1.5"));
  EXPECT_FALSE(refuse([](JobShape& s) { s.roles[0].count = 1 << 20; }).ok());
  EXPECT_FALSE(refuse([](JobShape& s) { s.roles.push_back(s.roles[0]); }).ok());
  EXPECT_FALSE(refuse([](JobShape& s) { s.max_attempts = 0; }).ok());
}

TEST(SubmitTest, WhatCanNotFitIsRefusedWhereThatIsWanted) {
  CoreOptions options = CoreHarness::AtOnce();
  options.refuse_unplaceable = true;
  CoreHarness harness(options);
  const std::string early = harness.Submit(TrainDraft("early", 8, Asks(1, 1000)));
  EXPECT_TRUE(harness.answer().ok()) << "nobody knows the nodes yet";
  harness.Register("a", 1, 4000);
  harness.Submit(TrainDraft("late", 2, Asks(1, 1000)));
  EXPECT_TRUE(absl::IsFailedPrecondition(harness.answer()));
  EXPECT_THAT(std::string(harness.answer().message()), HasSubstr("2 gpus, there are 1"));
}

SubmitPipeline Pipeline() {
  SubmitPipeline submit;
  submit.call = 1;
  submit.request_id = "request-p";
  submit.body_digest = "body";
  submit.id = "pipe-1";
  submit.name = "line";
  for (const char* name : {"third", "first", "second"}) {
    JobDraft stage = TrainDraft(name, 1, Asks(0, 1000));
    stage.id = std::string("id-") + name;
    submit.stages.push_back(stage);
  }
  submit.stages[0].shape.after = {"second"};
  submit.stages[2].shape.inputs = {{"first/model", "first", "model"}};
  return submit;
}

TEST(SubmitTest, StagesMayNameLaterOnesAndKeepTheirOrder) {
  CoreHarness harness;
  harness.Step(Pipeline());
  ASSERT_TRUE(harness.answer().ok()) << harness.answer();
  const auto& pipeline = std::get<PipelineRecord>(harness.last().replies[0].value);
  EXPECT_THAT(pipeline.job_ids, testing::ElementsAre("id-third", "id-first", "id-second"));
  EXPECT_EQ(harness.job("id-first").state, JobState::kQueued);
  EXPECT_EQ(harness.job("id-second").state, JobState::kBlocked);
  EXPECT_THAT(harness.job("id-second").after, testing::ElementsAre("id-first"));
}

TEST(SubmitTest, APipelineIsStoredWholeOrNotAtAll) {
  CoreHarness harness;
  SubmitPipeline circle = Pipeline();
  circle.stages[1].shape.after = {"third"};
  harness.Step(circle);
  EXPECT_TRUE(absl::IsInvalidArgument(harness.answer()));
  EXPECT_THAT(std::string(harness.answer().message()), HasSubstr("circle"));
  SubmitPipeline unknown = Pipeline();
  unknown.stages[1].shape.after = {"zeroth"};
  harness.Step(unknown);
  EXPECT_THAT(std::string(harness.answer().message()), HasSubstr("zeroth"));
  SubmitPipeline bad = Pipeline();
  bad.stages[2].shape.roles[0].resources.gpus = 9;
  harness.Step(bad);
  EXPECT_THAT(std::string(harness.answer().message()), HasSubstr("second"));
  EXPECT_TRUE(harness.state().jobs.empty());
}

TEST(SubmitTest, AnExtendedJobMustHaveACheckpoint) {
  CoreHarness harness;
  harness.Register("a", 0, 4000);
  const std::string base = harness.Submit(TrainDraft("base", 1, Asks(0, 1000)));
  JobDraft more = TrainDraft("more", 1, Asks(0, 1000));
  more.shape.extend_job = "base";
  harness.Submit(more);
  EXPECT_TRUE(absl::IsInvalidArgument(harness.answer()));
  const uint64_t uid = harness.TasksOf(base).at("trainer/0").task_uid;
  ASSERT_TRUE(harness.Commit(uid, 10).ok());
  const std::string extension = harness.Submit(more);
  ASSERT_TRUE(harness.answer().ok()) << harness.answer();
  const uint64_t second = harness.TasksOf(extension).at("trainer/0").task_uid;
  const auto restore = harness.DesiredOf("a").at(second).assignment.restore;
  ASSERT_EQ(restore.size(), 1);
  EXPECT_EQ(restore[0].step, 10);
}

}  // namespace
}  // namespace trainyard::coordinator
