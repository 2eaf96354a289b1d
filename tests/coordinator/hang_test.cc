#include "coordinator/core/hang.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/coordinator/core_harness.h"

namespace trainyard::coordinator {
namespace {

Task TaskIn(const std::string& phase, int steps, absl::Duration each) {
  const CoreOptions options;
  Task task;
  absl::Time now = absl::UnixEpoch();
  for (int step = 0; step <= steps; ++step) {
    RecordProgress(options, task, {phase, step}, now);
    now += each;
  }
  return task;
}

TEST(HangTest, TheLimitFollowsTheMedianOfThePhase) {
  const CoreOptions options;
  const JobShape shape;
  EXPECT_EQ(HangLimit(options, shape, TaskIn("train", 20, absl::Seconds(1))), absl::Seconds(60));
  EXPECT_EQ(HangLimit(options, shape, TaskIn("train", 20, absl::Seconds(30))), absl::Seconds(300));
  EXPECT_EQ(HangLimit(options, shape, TaskIn("train", 3, absl::Seconds(1))), shape.start_limit)
      << "too few steps to know";
}

TEST(HangTest, PhasesWithFixedLimits) {
  const CoreOptions options;
  const JobShape shape;
  EXPECT_EQ(HangLimit(options, shape, TaskIn("load", 1, absl::Seconds(1))), shape.start_limit);
  EXPECT_EQ(HangLimit(options, shape, TaskIn("checkpoint", 1, absl::Seconds(1))),
            shape.checkpoint_limit);
  EXPECT_EQ(HangLimit(options, shape, TaskIn("eval", 1, absl::Seconds(1))), shape.eval_limit);
  EXPECT_EQ(HangLimit(options, shape, TaskIn("waiting_rollout", 1, absl::Seconds(1))),
            absl::InfiniteDuration());
}

TEST(HangTest, OnlyTheLastStepsOfAPhaseCount) {
  const CoreOptions options;
  Task task = TaskIn("train", 100, absl::Seconds(1));
  absl::Time now = task.progress_at;
  for (int step = 101; step <= 160; ++step) {
    now += absl::Seconds(20);
    RecordProgress(options, task, {"train", step}, now);
  }
  EXPECT_EQ(HangLimit(options, {}, task), absl::Seconds(200));
}

class HangingJobTest : public testing::Test {
 protected:
  void SetUp() override {
    harness_.Register("a", 0, 4000);
    id_ = harness_.Submit(TrainDraft("t", 1, Asks(0, 1000)));
    harness_.AllReady(id_);
    uid_ = harness_.TasksOf(id_).at("trainer/0").task_uid;
    for (int step = 1; step <= 10; ++step) {
      harness_.Pass(absl::Seconds(1));
      harness_.Progress(uid_, "train", step);
    }
  }
  CoreHarness harness_;
  std::string id_;
  uint64_t uid_ = 0;
};

TEST(HangTest, ATaskThatDrawsTokensWithinALongStepIsAlive) {
  const CoreOptions options;
  Task task = TaskIn("generate", 20, absl::Seconds(1));
  const absl::Time began = task.progress_at;
  Progress progress = {"generate", 20};
  for (int i = 1; i <= 10; ++i) {
    progress.tokens_per_second = 5 + 0.01 * i;
    RecordProgress(options, task, progress, began + absl::Seconds(30 * i));
  }
  EXPECT_EQ(task.progress_at, began + absl::Seconds(300));
  RecordProgress(options, task, progress, began + absl::Seconds(360));
  EXPECT_EQ(task.progress_at, began + absl::Seconds(300)) << "nothing changed";
}

TEST_F(HangingJobTest, AStepThatDoesNotEndIsAHang) {
  harness_.Pass(absl::Seconds(58));
  EXPECT_EQ(harness_.attempt(id_).state, AttemptState::kRunning);
  harness_.Pass(absl::Seconds(3));
  EXPECT_EQ(harness_.attempt(id_).state, AttemptState::kStopping);
  EXPECT_EQ(harness_.attempt(id_).end.end_class, EndClass::kHang);
  EXPECT_EQ(harness_.attempt(id_).end.step, 10);
  EXPECT_THAT(harness_.attempt(id_).end.message, testing::HasSubstr("'train' at step 10"));
}

TEST_F(HangingJobTest, ReportsOfTheSameStepAreNoProgress) {
  for (int i = 0; i < 70; ++i) {
    harness_.Pass(absl::Seconds(1));
    if (harness_.state().tasks.at(uid_).session != 0) harness_.Progress(uid_, "train", 10);
  }
  EXPECT_EQ(harness_.attempt(id_).end.end_class, EndClass::kHang);
}

TEST_F(HangingJobTest, ATaskThatWaitsForRolloutsDoesNotHang) {
  harness_.Progress(uid_, "waiting_rollout", 10);
  harness_.Pass(absl::Minutes(30));
  EXPECT_EQ(harness_.attempt(id_).state, AttemptState::kRunning);
}

TEST_F(HangingJobTest, ATaskWithoutSessionIsNotBlamedForSilenceAtOnce) {
  harness_.Step(TaskSessionLost{harness_.state().tasks.at(uid_).session});
  harness_.Pass(absl::Minutes(5));
  EXPECT_EQ(harness_.attempt(id_).state, AttemptState::kRunning);
  harness_.Pass(absl::Minutes(6));
  EXPECT_EQ(harness_.attempt(id_).end.end_class, EndClass::kHang);
  EXPECT_THAT(harness_.attempt(id_).end.message, testing::HasSubstr("no session"));
}

}  // namespace
}  // namespace trainyard::coordinator
