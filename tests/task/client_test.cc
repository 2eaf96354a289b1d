// task/client.cc against a coordinator of tests, over real gRPC.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/synchronization/notification.h"
#include "task/session.h"
#include "tests/task/fake_coordinator.h"

namespace trainyard::task {
namespace {

using ::testing::HasSubstr;
constexpr absl::Duration kLong = absl::Seconds(20);

class ClientTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(coordinator_.Start().ok());
    assignment_.job_id = "job-a";
    assignment_.epoch = 3;
    assignment_.task_uid = 42;
    assignment_.secret = "secret";
    assignment_.term = 7;
    assignment_.role = "trainer";
    assignment_.coordinator = coordinator_.endpoint();
    session_ = Connect(assignment_, {.longest_backoff = absl::Milliseconds(200)});
  }

  bool HearsHello(bool ready) {
    return coordinator_.WaitToHear(
        [ready](const v1::TaskMessage& m) { return m.has_hello() && m.hello().ready() == ready; });
  }
  void SendPeers(int64_t revision, int count) {
    v1::CoordinatorToTask message;
    message.mutable_peers()->set_revision(revision);
    for (int i = 0; i < count; ++i) {
      v1::Peer* peer = message.mutable_peers()->add_peers();
      peer->set_role("rollout");
      peer->set_index(count - 1 - i);
      peer->set_ready(true);
    }
    coordinator_.Send(message);
  }

  FakeCoordinator coordinator_;
  Assignment assignment_;
  std::unique_ptr<TaskSession> session_;
};

TEST_F(ClientTest, SaysHelloThenWhatItReports) {
  EXPECT_TRUE(HearsHello(false));
  session_->Ready("host:1", "cpu-id");
  session_->Report({.phase = "train", .step = 5});
  session_->ReportMetrics(5, {{"loss", 0.5}});
  EXPECT_TRUE(coordinator_.WaitToHear([](const v1::TaskMessage& m) {
    return m.has_ready() && m.ready().numerics_id() == "cpu-id";
  }));
  EXPECT_TRUE(coordinator_.WaitToHear(
      [](const v1::TaskMessage& m) { return m.has_progress() && m.progress().step() == 5; }));
  EXPECT_TRUE(coordinator_.WaitToHear([](const v1::TaskMessage& m) {
    return m.has_metrics() && m.metrics().values().at("loss") == 0.5;
  }));
  EXPECT_TRUE(coordinator_.WaitToHear([](const v1::TaskMessage& m) { return m.has_heartbeat(); }));
}

TEST_F(ClientTest, PeersComeAsALevelAndCanBeWaitedFor) {
  ASSERT_TRUE(HearsHello(false));
  absl::Notification three;
  session_->OnPeersChanged([&](const PeerSnapshot& peers) {
    if (peers.peers.size() == 3 && !three.HasBeenNotified()) three.Notify();
  });
  SendPeers(1, 1);
  SendPeers(2, 3);
  const auto peers = session_->WaitForPeers(
      [](const PeerSnapshot& seen) { return seen.Ready("rollout").size() == 3; }, kLong);
  ASSERT_TRUE(peers.ok()) << peers.status();
  EXPECT_EQ(peers->revision, 2);
  EXPECT_EQ(peers->Ready("rollout")[2].index, 2) << "ordered by index";
  EXPECT_TRUE(three.WaitForNotificationWithTimeout(kLong));
  session_->OnPeersChanged(nullptr);
  const auto never = session_->WaitForPeers(
      [](const PeerSnapshot& seen) { return seen.peers.size() == 9; }, absl::Milliseconds(20));
  EXPECT_EQ(never.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(never.status().message()), HasSubstr("rollout/0 ready"));
}

TEST_F(ClientTest, AStopOrderEndsWaitsForPeers) {
  ASSERT_TRUE(HearsHello(false));
  v1::CoordinatorToTask message;
  message.mutable_stop()->set_checkpoint(true);
  message.mutable_stop()->set_grace_seconds(9);
  message.mutable_stop()->set_reason("scale down");
  coordinator_.Send(message);
  const auto peers =
      session_->WaitForPeers([](const PeerSnapshot&) { return false; }, absl::InfiniteDuration());
  EXPECT_EQ(peers.status().code(), absl::StatusCode::kCancelled);
  const auto order = session_->WaitForStop(kLong);
  ASSERT_TRUE(order.has_value());
  EXPECT_TRUE(order->checkpoint);
  EXPECT_EQ(order->grace, absl::Seconds(9));
  EXPECT_EQ(session_->StopRequested()->reason, "scale down");
}

TEST_F(ClientTest, FindsACoordinatorThatCameBackAndTellsItWhatItServes) {
  session_->Ready("host:1", "cpu-id");
  ASSERT_TRUE(coordinator_.WaitToHear([](const v1::TaskMessage& m) {
    return m.has_ready() || (m.has_hello() && m.hello().ready());
  }));
  const std::string endpoint = coordinator_.endpoint();
  coordinator_.Stop();
  FakeCoordinator again;
  ASSERT_TRUE(again.Start(endpoint).ok());
  EXPECT_TRUE(again.WaitToHear([](const v1::TaskMessage& m) {
    return m.has_hello() && m.hello().ready() && m.hello().endpoint() == "host:1" &&
           m.hello().highest_term() == 7;
  }));
  session_.reset();
}

TEST_F(ClientTest, ACommitIsTriedAgainAsTheSameRequestUntilItIsAnswered) {
  coordinator_.RefuseCommits(2, absl::UnavailableError("away"));
  const auto result = session_->CommitCheckpoint(
      {.step = 10, .uri = "root://runs/job-a/e3/step-00000010", .manifest_sha256 = "abc"}, kLong);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->revision, 11);
  ASSERT_EQ(result->prune.size(), 1);
  const auto commits = coordinator_.commits();
  ASSERT_EQ(commits.size(), 3);
  EXPECT_EQ(commits[0].request_id(), commits[2].request_id());
  EXPECT_EQ(commits[0].epoch(), 3);
  EXPECT_EQ(commits[0].secret(), "secret");
}

TEST_F(ClientTest, ACommitOfAnEndedEpochIsNotTriedAgain) {
  coordinator_.RefuseCommits(1, absl::AbortedError("epoch 3 is over"));
  const auto result = session_->CommitCheckpoint({.step = 10}, kLong);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(coordinator_.commits().size(), 1);
}

TEST_F(ClientTest, ACommitGivesUpAtItsDeadline) {
  coordinator_.Stop();
  const auto result = session_->CommitCheckpoint({.step = 10}, absl::Milliseconds(300));
  EXPECT_FALSE(result.ok());
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("commit of step 10"));
}

TEST_F(ClientTest, TheEndIsAcknowledged) {
  EXPECT_TRUE(session_->FinishJob({{.name = "model"}}, kLong).ok());
  EXPECT_TRUE(session_->End({.end_class = EndClass::kSucceeded}, kLong).ok());
  EXPECT_TRUE(coordinator_.WaitToHear(
      [](const v1::TaskMessage& m) { return m.end().class_() == v1::END_SUCCEEDED; }));
}

TEST_F(ClientTest, AnEndThatNobodyHearsHasADeadline) {
  coordinator_.Stop();
  EXPECT_EQ(session_->End({.end_class = EndClass::kNan}, absl::Milliseconds(50)).code(),
            absl::StatusCode::kDeadlineExceeded);
}

using ClientDeathTest = ClientTest;

TEST_F(ClientDeathTest, AnEndedEpochLeavesTheProcess) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        coordinator_.EndSessions(absl::AbortedError("now it is 4"));
        absl::Notification never;
        never.WaitForNotificationWithTimeout(kLong);
      },
      ::testing::ExitedWithCode(ExitCodeOf(EndClass::kDrained)), "epoch 3 of job job-a is over");
}

TEST_F(ClientDeathTest, AnAbortLeavesWithItsCode) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(session_->Abort({.end_class = EndClass::kPeerLost, .message = "rank 1 is gone"}),
              ::testing::ExitedWithCode(ExitCodeOf(EndClass::kPeerLost)), "rank 1 is gone");
}

}  // namespace
}  // namespace trainyard::task
