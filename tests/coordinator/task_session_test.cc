#include "coordinator/core/task_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/coordinator/core_harness.h"

namespace trainyard::coordinator {
namespace {

class TaskSessionTest : public testing::Test {
 protected:
  void SetUp() override {
    harness_.Register("a", 0, 4000);
    id_ = harness_.Submit(TrainDraft("t", 2, Asks(0, 1000)));
    uid_ = harness_.TasksOf(id_).at("trainer/0").task_uid;
  }
  TaskIdentity Identity() { return {id_, 1, uid_, "secret of " + id_}; }
  CoreHarness harness_;
  std::string id_;
  uint64_t uid_ = 0;
};

TEST_F(TaskSessionTest, RightsAreCheckedTokenByToken) {
  EXPECT_TRUE(CheckRights(harness_.state(), Identity()).ok());
  TaskIdentity wrong = Identity();
  wrong.job_id = "nobody";
  EXPECT_TRUE(absl::IsNotFound(CheckRights(harness_.state(), wrong)));
  wrong = Identity();
  wrong.secret = "guess";
  EXPECT_TRUE(absl::IsPermissionDenied(CheckRights(harness_.state(), wrong)));
  wrong = Identity();
  wrong.epoch = 0;
  EXPECT_TRUE(absl::IsAborted(CheckRights(harness_.state(), wrong)));
  wrong.epoch = 2;
  EXPECT_TRUE(absl::IsUnavailable(CheckRights(harness_.state(), wrong)));
  wrong = Identity();
  wrong.task_uid = 999;
  EXPECT_TRUE(absl::IsAborted(CheckRights(harness_.state(), wrong)));
}

TEST_F(TaskSessionTest, AWelcomeComesWithThePeers) {
  const SessionId session = harness_.Hello(uid_);
  ASSERT_EQ(harness_.Orders<TaskWelcome>().size(), 1);
  harness_.DoDue();
  const auto sent = harness_.Orders<PeerSet>();
  ASSERT_EQ(sent.size(), 1);
  EXPECT_EQ(sent[0].first, session);
  const std::vector<Peer>& peers = *sent[0].second.peers;
  ASSERT_EQ(peers.size(), 2);
  EXPECT_TRUE(peers[0].ready);
  EXPECT_FALSE(peers[1].ready);
  EXPECT_EQ(peers[1].endpoint, "");
}

TEST_F(TaskSessionTest, ATaskOfAnEpochThatIsOverIsSentAway) {
  harness_.AllReady(id_);
  harness_.ExitOf(uid_, EndClass::kSignal);
  harness_.Pass(absl::Seconds(1));
  harness_.AllExit(id_);
  harness_.Step(TaskHello{900, id_, 1, uid_, "secret of " + id_, 0, "", "", true});
  ASSERT_EQ(harness_.Orders<CloseSession>().size(), 1);
  EXPECT_TRUE(absl::IsAborted(harness_.Orders<CloseSession>()[0].second.status));
}

TEST_F(TaskSessionTest, ATaskThatReconnectsHearsOfTheStopItMissed) {
  harness_.AllReady(id_);
  ASSERT_TRUE(harness_.Change(JobVerb::kPause, id_).ok());
  harness_.Hello(uid_);
  const auto stops = harness_.Orders<StopOrder>();
  ASSERT_EQ(stops.size(), 1);
  EXPECT_TRUE(stops[0].second.checkpoint);
}

TEST_F(TaskSessionTest, ANewerSessionReplacesTheOlder) {
  const SessionId first = harness_.Hello(uid_);
  const SessionId second = harness_.Hello(uid_);
  EXPECT_EQ(harness_.state().tasks.at(uid_).session, second);
  harness_.Step(TaskSessionLost{first});
  EXPECT_EQ(harness_.state().tasks.at(uid_).session, second);
  EXPECT_EQ(harness_.core().JobOfSession(second), id_);
  EXPECT_EQ(harness_.core().JobOfSession(first), "");
}

TEST_F(TaskSessionTest, AnEndReasonIsAcknowledgedWhenItIsDurable) {
  harness_.Hello(uid_);
  harness_.End(uid_, EndClass::kInternal, "an error");
  EXPECT_EQ(harness_.Orders<EndAck>().size(), 1);
  EXPECT_EQ(harness_.last().revision, harness_.last().batch->revision);
  EXPECT_EQ(harness_.disk().tasks.at(uid_).own_end->message, "an error");
  harness_.End(uid_, EndClass::kInternal, "an error");
  EXPECT_EQ(harness_.last().batch, nullptr);
  EXPECT_EQ(harness_.Orders<EndAck>().size(), 1);
}

TEST_F(TaskSessionTest, ProgressIsShownButNotStored) {
  harness_.AllReady(id_);
  harness_.Progress(uid_, "train", 1);
  harness_.Progress(uid_, "train", 2);
  EXPECT_EQ(harness_.last().batch, nullptr);
  ASSERT_EQ(harness_.last().progress.size(), 1);
  EXPECT_EQ(harness_.core().JobProgressOf(id_)->step, 2);
  EXPECT_EQ(harness_.task(uid_).state, TaskState::kRunning);
}

}  // namespace
}  // namespace trainyard::coordinator
