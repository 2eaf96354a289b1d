#include "coordinator/core/queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/coordinator/core_harness.h"

namespace trainyard::coordinator {
namespace {

TEST(QueueTest, PriorityThenOrderOfSubmission) {
  CoreHarness harness;
  const std::string first = harness.Submit(TrainDraft("first", 1, Asks(0, 4000)));
  const std::string second = harness.Submit(TrainDraft("second", 1, Asks(0, 4000)));
  JobDraft urgent = TrainDraft("urgent", 1, Asks(0, 4000));
  urgent.shape.priority = 5;
  const std::string third = harness.Submit(urgent);
  harness.Register("a", 0, 4000);
  EXPECT_EQ(harness.job(third).state, JobState::kActive);
  EXPECT_EQ(harness.job(first).state, JobState::kQueued);
  harness.AllExit(third, EndClass::kUserError);
  harness.Pass(absl::Seconds(1));
  EXPECT_EQ(harness.job(third).state, JobState::kFailed);
  EXPECT_EQ(harness.job(first).state, JobState::kActive);
  EXPECT_EQ(harness.job(second).state, JobState::kQueued);
}

TEST(QueueTest, ALargeGangIsNotStarvedBySmallJobsBehindIt) {
  CoreHarness harness;
  harness.Register("a", 0, 4000);
  const std::string running = harness.Submit(TrainDraft("running", 1, Asks(0, 2000)));
  const std::string large = harness.Submit(TrainDraft("large", 2, Asks(0, 2000)));
  const std::string small = harness.Submit(TrainDraft("small", 1, Asks(0, 1000)));
  EXPECT_EQ(harness.job(running).state, JobState::kActive);
  EXPECT_EQ(harness.job(large).state, JobState::kQueued);
  EXPECT_EQ(harness.job(small).state, JobState::kQueued) << "the free half is the large job's";
  EXPECT_THAT(harness.job(large).reason, testing::HasSubstr("other jobs hold"));
}

TEST(QueueTest, JobsThatNeedOtherNodesPassTheHeadOfTheQueue) {
  CoreHarness harness;
  harness.Register("gpu", 2, 4000);
  harness.Register("cpu", 0, 1000);
  const std::string running = harness.Submit(TrainDraft("running", 1, Asks(1, 2000)));
  const std::string large = harness.Submit(TrainDraft("large", 2, Asks(1, 2000)));
  const std::string small = harness.Submit(TrainDraft("small", 1, Asks(0, 1000)));
  EXPECT_EQ(harness.job(running).state, JobState::kActive);
  EXPECT_EQ(harness.job(large).state, JobState::kQueued);
  EXPECT_EQ(harness.job(small).state, JobState::kActive);
  EXPECT_EQ(harness.TasksOf(small).at("trainer/0").node, "cpu");
}

TEST(QueueTest, AJobThatCanNeverFitBlocksNobodyAndSaysWhy) {
  CoreHarness harness;
  harness.Register("a", 0, 4000);
  const std::string impossible = harness.Submit(TrainDraft("impossible", 1, Asks(1, 1000)));
  const std::string small = harness.Submit(TrainDraft("small", 1, Asks(0, 1000)));
  EXPECT_EQ(harness.job(impossible).state, JobState::kQueued);
  EXPECT_THAT(harness.job(impossible).reason, testing::HasSubstr("gpu"));
  EXPECT_EQ(harness.job(small).state, JobState::kActive);
}

TEST(QueueTest, ManyChangesAreDecidedByOnePass) {
  CoreOptions options;
  options.pass_spacing = absl::Milliseconds(50);
  CoreHarness harness(options);
  harness.Register("a", 0, 8000);
  const std::string first = harness.Submit(TrainDraft("first", 1, Asks(0, 1000)));
  const std::string second = harness.Submit(TrainDraft("second", 1, Asks(0, 1000)));
  const std::string third = harness.Submit(TrainDraft("third", 1, Asks(0, 1000)));
  EXPECT_EQ(harness.job(second).state, JobState::kQueued);
  const absl::Time due = harness.core().DueAt();
  EXPECT_LE(due, harness.now() + options.pass_spacing);
  while (harness.core().DueAt() <= due) harness.DoDue();
  for (const std::string& id : {first, second, third}) {
    EXPECT_EQ(harness.job(id).state, JobState::kActive);
  }
}

TEST(QueueTest, AGangThatAsksForMoreOfWhatIsMissingIsPassedOverAndASmallerOneIsNot) {
  CoreHarness harness;
  harness.Register("a", 0, 4000);
  harness.Register("b", 4, 4000);
  const std::string hog = harness.Submit(TrainDraft("hog", 4, Asks(1, 500)));
  const std::string huge = harness.Submit(TrainDraft("huge", 9, Asks(0, 1000)));
  const std::string huger = harness.Submit(TrainDraft("huger", 10, Asks(0, 1000)));
  const std::string small = harness.Submit(TrainDraft("small", 4, Asks(0, 1000)));
  EXPECT_EQ(harness.job(hog).state, JobState::kActive);
  EXPECT_EQ(harness.job(small).state, JobState::kActive);
  EXPECT_THAT(harness.job(huge).reason, testing::HasSubstr("9000 milli-cpu"));
  EXPECT_THAT(harness.job(huger).reason, testing::HasSubstr("10000 milli-cpu"));
}

TEST(QueueTest, NothingStartsWhileTheStoreHasNoSpace) {
  CoreHarness harness;
  harness.Register("a", 0, 4000);
  const std::string waits = harness.Submit(TrainDraft("first", 1, Asks(0, 4000)));
  const std::string next = harness.Submit(TrainDraft("second", 1, Asks(0, 4000)));
  harness.Step(StoreCondition{"no space"});
  harness.Submit(TrainDraft("third", 1, Asks(0, 1000)));
  EXPECT_TRUE(absl::IsResourceExhausted(harness.answer()));
  harness.AllExit(waits, EndClass::kUserError);
  harness.Pass(absl::Seconds(1));
  EXPECT_EQ(harness.job(waits).state, JobState::kFailed) << "ends are still recorded";
  EXPECT_EQ(harness.job(next).state, JobState::kQueued);
  harness.Step(StoreCondition{""});
  EXPECT_EQ(harness.job(next).state, JobState::kActive);
}

}  // namespace
}  // namespace trainyard::coordinator
