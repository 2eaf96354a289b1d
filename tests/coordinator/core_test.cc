#include "coordinator/core/core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/coordinator/core_harness.h"

namespace trainyard::coordinator {
namespace {

TEST(CoreTest, ADecisionThatWritesCarriesItsReasons) {
  CoreHarness harness;
  harness.Register("a", 0, 4000);
  harness.Submit(TrainDraft("t", 1, Asks(0, 1000)));
  EXPECT_THAT(harness.last().reasons, testing::Contains(testing::HasSubstr("attempt.placed")));
  EXPECT_THAT(harness.Noted(), testing::Contains("job.submitted"));
  EXPECT_EQ(harness.last().batch->events[0].principal, "alice");
}

TEST(CoreTest, ATickWithNothingToDoWritesNothing) {
  CoreHarness harness;
  harness.Register("a", 0, 4000);
  const std::string id = harness.Submit(TrainDraft("t", 1, Asks(0, 1000)));
  harness.AllReady(id);
  harness.Step(Tick{});
  EXPECT_EQ(harness.last().batch, nullptr);
  EXPECT_TRUE(harness.last().orders.empty());
}

TEST(CoreTest, TimeThatGoesBackIsNotBelieved) {
  Core core({}, {}, absl::UnixEpoch() + absl::Hours(1));
  core.Step(Tick{}, absl::UnixEpoch());
  EXPECT_EQ(core.state().last_step, absl::UnixEpoch() + absl::Hours(1));
}

TEST(CoreTest, TheSecretIsInNoEventAndNoReason) {
  CoreHarness harness;
  harness.Register("a", 0, 4000);
  const std::string id = harness.Submit(TrainDraft("t", 1, Asks(0, 1000)));
  harness.AllReady(id);
  ASSERT_TRUE(harness.Commit(harness.TasksOf(id).at("trainer/0").task_uid, 1).ok());
  for (const EventRow& event : harness.disk().events) {
    EXPECT_THAT(event.message, testing::Not(testing::HasSubstr("secret of")));
  }
}

TEST(CoreTest, ARunningJobGoesOnUndisturbedOverARestart) {
  CoreHarness harness;
  harness.Register("a", 0, 4000);
  const std::string id = harness.Submit(TrainDraft("t", 1, Asks(0, 1000)));
  harness.AllReady(id);
  const uint64_t uid = harness.TasksOf(id).at("trainer/0").task_uid;
  const uint64_t term = harness.core().term();
  harness.Restart();
  EXPECT_EQ(harness.core().term(), term + 1);
  harness.Register("a", 0, 4000, {{uid, TaskState::kStarting}});
  harness.Hello(uid);
  EXPECT_EQ(harness.attempt(id).state, AttemptState::kRunning);
  EXPECT_TRUE(harness.Commit(uid, 5).ok());
  EXPECT_TRUE(harness.Finish(uid).ok());
  harness.AllExit(id);
  EXPECT_EQ(harness.job(id).state, JobState::kSucceeded);
  EXPECT_EQ(harness.job(id).attempt, 1);
}

TEST(CoreTest, NodesShowWhatTheyHold) {
  CoreHarness harness;
  harness.Register("a", 1, 4000);
  harness.Submit(TrainDraft("t", 1, Asks(1, 1500)));
  const auto nodes = harness.core().Nodes();
  ASSERT_EQ(nodes.size(), 1);
  EXPECT_TRUE(nodes[0].connected);
  EXPECT_EQ(nodes[0].cpu_milli_used, 1500);
  ASSERT_EQ(nodes[0].tasks.size(), 1);
  EXPECT_THAT(nodes[0].tasks[0].gpus, testing::ElementsAre("a-gpu-0"));
}

TEST(CoreTest, WaitingForEverIsNotAllowed) {
  CoreOptions options = CoreHarness::AtOnce();
  options.waiting_limit = absl::Seconds(30);
  CoreHarness harness(options);
  const std::string id = harness.Submit(TrainDraft("t", 1, Asks(0, 1000)));
  harness.Pass(absl::Seconds(31));
  EXPECT_EQ(harness.job(id).state, JobState::kFailed);
  EXPECT_EQ(harness.job(id).end.end_class, EndClass::kDeadline);
}

}  // namespace
}  // namespace trainyard::coordinator
