#include "coordinator/service_parts.h"

#include "tests/coordinator_service/service_fixture.h"

namespace trainyard::coordinator {
namespace {

TEST(StatusOfTest, ARefusalSaysWhyInOneWordAndWhatToDo) {
  const auto detail = rpc::DetailOf(StatusOf(
      {.status = absl::NotFoundError("no node \"b\""), .reason = "NO_SUCH_NODE"}));
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason, "NO_SUCH_NODE");
  EXPECT_EQ(detail->remedy, "trainyard nodes shows what there is");
  EXPECT_EQ(detail->retry_after, absl::ZeroDuration()) << "time alone does not mend it";
}

TEST(StatusOfTest, WhatTimeMendsSaysWhenToComeAgain) {
  const auto detail = rpc::DetailOf(StatusOf(
      {.status = absl::ResourceExhaustedError("too many jobs"), .reason = "QUEUE_FULL"}));
  ASSERT_TRUE(detail.has_value());
  EXPECT_GT(detail->retry_after, absl::ZeroDuration());
  EXPECT_EQ(rpc::DetailOf(Overloaded())->reason, "OVERLOADED");
}

TEST(StatusOfTest, AFullDiskAsksForSpace) {
  const auto detail = rpc::DetailOf(
      StatusOf({.status = absl::UnavailableError("read only"), .reason = "READ_ONLY"}));
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->remedy, "free some space on the coordinator's disk; it goes on by itself");
}

TEST(StatusOfTest, WithoutAReasonTheStatusStandsAlone) {
  EXPECT_TRUE(StatusOf({}).ok());
  EXPECT_FALSE(rpc::DetailOf(StatusOf({.status = absl::InternalError("x")})).has_value());
}

using ReadJobTest = ServiceTest;

TEST_F(ReadJobTest, AJobThatIsOverIsReadFromTheStoreWithItsTasks) {
  const auto agent = Agent("a");
  const auto job = Submit(Job(kFake, {"name=job", "max_attempts=1"}), "r");
  ASSERT_TRUE(job.ok()) << job.status();
  const v1::TaskAssignment task = Assignments(*agent, 1)[0];
  Running(*agent, task.task_uid());
  Exit(*agent, task.task_uid(), v1::END_USER_ERROR);
  ASSERT_EQ(Ended("job").state(), v1::FAILED);
  const auto before = Get("job");
  Restart();
  const auto after = Get("job");
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(after->state(), v1::FAILED);
  EXPECT_EQ(after->end().class_(), v1::END_USER_ERROR);
  ASSERT_EQ(after->current().tasks_size(), 1);
  EXPECT_EQ(after->current().tasks(0).task_uid(), task.task_uid());
  EXPECT_EQ(after->current().tasks(0).node(), before->current().tasks(0).node());
}

}  // namespace
}  // namespace trainyard::coordinator
