#include "task/run_task.h"

#include <gtest/gtest.h>

#include "base/atomic_file.h"
#include "base/cause.h"
#include "base/shutdown.h"
#include "base/status.h"
#include "tests/support/process.h"
#include "tests/task/fake_coordinator.h"

namespace trainyard::task {
namespace {

const StopOrder kStop = {.checkpoint = true, .reason = "scaled down"};

TEST(EndReasonOf, SaysWhatWhereAndWhy) {
  const EndReason reason =
      EndReasonOf(absl::InvalidArgumentError("data.jsonl:3: no field"), {7, "load"}, std::nullopt);
  EXPECT_EQ(reason.end_class, EndClass::kUserError);
  EXPECT_EQ(reason.message, "data.jsonl:3: no field");
  EXPECT_EQ(reason.step, 7);
  EXPECT_EQ(reason.phase, "load");
}

TEST(EndReasonOf, ANumberThatIsNotFiniteIsNotADiskErrorAlsoWhenAnnotated) {
  const absl::Status status = Annotate(NotFiniteError("loss"), "step 3");
  EXPECT_EQ(EndReasonOf(status, {}, std::nullopt).end_class, EndClass::kNan);
}

TEST(EndReasonOf, WorkThatIsLeftAfterAnOrderIsDrainedAndWithoutOneIsNot) {
  const absl::Status cancelled = absl::CancelledError("stopped");
  EXPECT_EQ(EndReasonOf(cancelled, {}, kStop).end_class, EndClass::kDrained);
  EXPECT_EQ(EndReasonOf(cancelled, {}, kStop).message, "scaled down");
  EXPECT_EQ(EndReasonOf(cancelled, {}, std::nullopt).end_class, EndClass::kCancelled);
}

TEST(EndReasonOf, AFailureDuringAStopIsTheFailure) {
  const EndReason reason = EndReasonOf(DiskFullError("/runs"), {}, kStop);
  EXPECT_EQ(reason.end_class, EndClass::kDiskFull);
  EXPECT_EQ(reason.message, "/runs");
}

TEST(EndReasonOf, AServerThatStoppedAsOrderedSucceeded) {
  EXPECT_EQ(EndReasonOf(absl::OkStatus(), {}, kStop).end_class, EndClass::kSucceeded);
}

class RunTaskTest : public ::testing::Test {
 protected:
  RunTaskTest() { BlockStopSignals(); }

  testing::TempDir dir_;
};

TEST_F(RunTaskTest, WithoutAnAssignmentItRunsByItself) {
  std::string role = "never called";
  const TaskWork work = [&](const Assignment& assignment, TaskSession* session, Place* place) {
    role = assignment.role;
    EXPECT_EQ(place->phase, "starting");
    EXPECT_TRUE(session->Peers().peers.empty());
    return absl::OkStatus();
  };
  EXPECT_EQ(RunTask({.name = "alone"}, work), 0);
  EXPECT_EQ(role, "");
}

TEST_F(RunTaskTest, AnAssignmentThatCanNotBeReadIsToldByTheExitCodeAndNothingRuns) {
  const TaskWork never = [](const Assignment&, TaskSession*, Place*) {
    ADD_FAILURE() << "it ran";
    return absl::OkStatus();
  };
  EXPECT_EQ(RunTask({.assignment_path = dir_.File("nothing"), .name = "x"}, never),
            ExitCodeOf(EndClass::kUserError));
}

TEST_F(RunTaskTest, TheCoordinatorHearsWhyItEndedBeforeTheProcessIsGone) {
  FakeCoordinator coordinator;
  ASSERT_TRUE(coordinator.Start().ok());
  v1::TaskAssignment assignment;
  assignment.set_job_id("job-a");
  assignment.set_epoch(3);
  assignment.set_task_uid(42);
  assignment.set_secret("s");
  assignment.set_role("rollout");
  assignment.set_coordinator(coordinator.endpoint());
  ASSERT_TRUE(WriteFileAtomically(dir_.File("assignment"), assignment.SerializeAsString()).ok());
  const int code = RunTask({.assignment_path = dir_.File("assignment"), .name = "rollout"},
                           [](const Assignment& given, TaskSession*, Place* place) {
                             EXPECT_EQ(given.job_id, "job-a");
                             *place = {9, "generate"};
                             return OutOfMemoryError("the cache does not fit");
                           });
  EXPECT_EQ(code, ExitCodeOf(EndClass::kOutOfMemory));
  EXPECT_TRUE(coordinator.WaitToHear([](const v1::TaskMessage& message) {
    return message.end().class_() == v1::END_OUT_OF_MEMORY && message.end().step() == 9 &&
           message.end().phase() == "generate" &&
           message.end().message() == "the cache does not fit";
  }));
}

}  // namespace
}  // namespace trainyard::task
