#include "coordinator/core/elastic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/coordinator/core_harness.h"

namespace trainyard::coordinator {
namespace {

class ElasticTest : public testing::Test {
 protected:
  void SetUp() override { harness_.Register("a", 0, 5000); }
  std::set<std::string> Live(const std::string& id) {
    std::set<std::string> live;
    for (const auto& [name, task] : harness_.TasksOf(id)) {
      if (Reachable(task) && !task.stop) live.insert(name);
    }
    return live;
  }
  uint64_t Uid(const std::string& id, const std::string& task) {
    return harness_.TasksOf(id).at(task).task_uid;
  }
  CoreHarness harness_;
};

TEST_F(ElasticTest, AJobStartsWithTheLeastAndFillsUpWhereThereIsRoom) {
  const std::string id = harness_.Submit(PpoDraft("p", 5));
  EXPECT_EQ(harness_.job(id).state, JobState::kActive);
  EXPECT_EQ(Live(id).size(), 2 + 3) << "5 rollouts are wanted, 3 fit";
  harness_.Register("b", 0, 5000);
  EXPECT_EQ(Live(id).size(), 2 + 5);
}

TEST_F(ElasticTest, ScaleIsStoredAndFollowedBothWays) {
  const std::string id = harness_.Submit(PpoDraft("p", 1));
  harness_.AllReady(id);
  ASSERT_TRUE(harness_.Scale(id, "rollout", 3).ok());
  EXPECT_THAT(Live(id), testing::IsSupersetOf({"rollout/0", "rollout/1", "rollout/2"}));
  ASSERT_TRUE(harness_.Scale(id, "rollout", 1).ok());
  EXPECT_EQ(Live(id).size(), 3);
  const uint64_t leaving = Uid(id, "rollout/2");
  EXPECT_TRUE(harness_.DesiredOf("a").at(leaving).stop);
  EXPECT_EQ(harness_.DesiredOf("a").at(leaving).grace, absl::Seconds(30));
  harness_.ExitOf(leaving, EndClass::kDrained);
  EXPECT_EQ(harness_.job(id).state, JobState::kActive)
      << "a task that was told to go is no failure";
  harness_.Restart();
  EXPECT_EQ(harness_.job(id).wanted.at("rollout"), 1);
}

TEST_F(ElasticTest, ScaleBeforeTheStartIsRemembered) {
  harness_.Submit(TrainDraft("busy", 1, Asks(0, 5000)));
  const std::string id = harness_.Submit(PpoDraft("p", 1));
  EXPECT_EQ(harness_.job(id).state, JobState::kQueued);
  ASSERT_TRUE(harness_.Scale(id, "rollout", 2).ok());
  harness_.Register("b", 0, 5000);
  EXPECT_EQ(Live(id).size(), 4);
}

TEST_F(ElasticTest, BadScalesAreRefused) {
  const std::string id = harness_.Submit(PpoDraft("p", 1));
  EXPECT_TRUE(absl::IsInvalidArgument(harness_.Scale(id, "learner", 2)));
  EXPECT_TRUE(absl::IsInvalidArgument(harness_.Scale(id, "rollout", -1)));
  EXPECT_TRUE(absl::IsNotFound(harness_.Scale("nobody", "rollout", 1)));
  harness_.Step(ScaleJob{7, "alice", id, "rollout", 2, 1});
  EXPECT_TRUE(absl::IsAborted(harness_.answer())) << "an old etag";
}

TEST_F(ElasticTest, ARolloutThatDiesStartsAgainAloneAfterAPause) {
  const std::string id = harness_.Submit(PpoDraft("p", 1));
  harness_.AllReady(id);
  const uint64_t first = Uid(id, "rollout/0");
  harness_.ExitOf(first, EndClass::kSignal, "killed");
  harness_.Pass(absl::Milliseconds(600));
  EXPECT_EQ(harness_.attempt(id).state, AttemptState::kRunning) << "the learner goes on";
  harness_.Pass(absl::Seconds(1));
  EXPECT_NE(Uid(id, "rollout/0"), first);
  EXPECT_EQ(harness_.attempt(id).number, 1);
}

TEST_F(ElasticTest, ARolloutThatNeverGetsReadyFailsTheAttemptInTheEnd) {
  const std::string id = harness_.Submit(PpoDraft("p", 1));
  harness_.Hello(Uid(id, "controller/0"));
  harness_.Hello(Uid(id, "learner/0"));
  for (int i = 0; i < 5; ++i) {
    harness_.ExitOf(Uid(id, "rollout/0"), EndClass::kDeviceError, "no device");
    harness_.Pass(absl::Seconds(20));
  }
  EXPECT_EQ(harness_.attempt(id).state, AttemptState::kStopping);
  EXPECT_EQ(harness_.attempt(id).end.end_class, EndClass::kDeviceError);
}

TEST_F(ElasticTest, AUserErrorInARolloutIsOneOfTheJob) {
  const std::string id = harness_.Submit(PpoDraft("p", 1));
  harness_.AllReady(id);
  harness_.ExitOf(Uid(id, "rollout/0"), EndClass::kUserError, "no such tokenizer");
  harness_.Pass(absl::Milliseconds(700));
  harness_.AllExit(id);
  EXPECT_EQ(harness_.job(id).state, JobState::kFailed);
}

TEST_F(ElasticTest, GrowthDoesNotTakeTheNodesThatTheQueueWaitsFor) {
  const std::string id = harness_.Submit(PpoDraft("p", 1));
  const std::string large = harness_.Submit(TrainDraft("large", 1, Asks(0, 5000)));
  EXPECT_EQ(harness_.job(large).state, JobState::kQueued);
  ASSERT_TRUE(harness_.Scale(id, "rollout", 3).ok());
  EXPECT_EQ(Live(id).size(), 3) << "the room is kept for the job that waits";
}

TEST_F(ElasticTest, ZeroRolloutsByExplicitScale) {
  const std::string id = harness_.Submit(PpoDraft("p", 1));
  harness_.AllReady(id);
  ASSERT_TRUE(harness_.Scale(id, "rollout", 0).ok());
  harness_.ExitOf(Uid(id, "rollout/0"), EndClass::kDrained);
  EXPECT_EQ(Live(id).size(), 2);
  EXPECT_EQ(harness_.attempt(id).state, AttemptState::kRunning);
}

}  // namespace
}  // namespace trainyard::coordinator
