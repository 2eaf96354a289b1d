#include "coordinator/core/membership.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/coordinator/core_harness.h"

namespace trainyard::coordinator {
namespace {

using ::testing::HasSubstr;

AgentRegister From(const std::string& node, const std::string& host, uint64_t nonce,
                   SessionId session) {
  AgentRegister event;
  event.session = session;
  event.node = node;
  event.process_nonce = nonce;
  event.offer.host = host;
  event.offer.cpu_milli = 4000;
  event.offer.memory_bytes = int64_t{64} << 30;
  return event;
}

TEST(MembershipTest, TheSameNonceKeepsTheIncarnation) {
  CoreHarness harness;
  harness.Register("a", 0, 4000);
  EXPECT_EQ(harness.Orders<AgentRegistered>()[0].second.incarnation, 1);
  harness.Disconnect("a");
  harness.Register("a", 0, 4000);
  EXPECT_EQ(harness.Orders<AgentRegistered>()[0].second.incarnation, 1);
  harness.Disconnect("a");
  harness.Renonce("a");
  harness.Register("a", 0, 4000);
  EXPECT_EQ(harness.Orders<AgentRegistered>()[0].second.incarnation, 2);
}

TEST(MembershipTest, ASecondLiveAgentOfTheSameNameIsRefusedNamingBothHosts) {
  CoreHarness harness;
  harness.Step(From("a", "host-1", 1, 100));
  harness.Step(From("a", "host-2", 2, 101));
  const auto closed = harness.Orders<CloseSession>();
  ASSERT_EQ(closed.size(), 1);
  EXPECT_EQ(closed[0].first, 101);
  EXPECT_TRUE(absl::IsAlreadyExists(closed[0].second.status));
  EXPECT_THAT(closed[0].second.status.ToString(),
              testing::AllOf(HasSubstr("host-1"), HasSubstr("host-2")));
  EXPECT_EQ(harness.state().nodes.at("a").session, 100);
}

TEST(MembershipTest, ACoordinatorThatIsBehindIsTold) {
  CoreHarness harness;
  AgentRegister event = From("a", "host-1", 1, 100);
  event.highest_term = 99;
  harness.Step(event);
  EXPECT_TRUE(absl::IsFailedPrecondition(harness.Orders<CloseSession>()[0].second.status));
}

TEST(MembershipTest, ARootIsOneStorageForEverybody) {
  CoreHarness harness;
  AgentRegister first = From("a", "host-1", 1, 100);
  first.offer.roots = {{"runs", "cluster-1"}};
  AgentRegister second = From("b", "host-2", 2, 101);
  second.offer.roots = {{"runs", "cluster-2"}};
  harness.Step(first);
  harness.Step(second);
  ASSERT_EQ(harness.Orders<CloseSession>().size(), 1);
  EXPECT_THAT(harness.Orders<CloseSession>()[0].second.status.ToString(), HasSubstr("cluster-2"));
}

TEST(MembershipTest, ANodeIsLostWhenItsLeaseEndsNotWhenItsStreamBreaks) {
  CoreHarness harness;
  harness.Register("a", 0, 4000);
  const std::string id = harness.Submit(TrainDraft("t", 1, Asks(0, 1000)));
  harness.AllReady(id);
  harness.Disconnect("a");
  harness.Pass(absl::Seconds(9));
  EXPECT_EQ(harness.state().nodes.at("a").record.state, NodeState::kAlive);
  harness.Register("a", 0, 4000,
                   {{harness.TasksOf(id).at("trainer/0").task_uid, TaskState::kStarting}});
  EXPECT_EQ(harness.attempt(id).state, AttemptState::kRunning) << "a short cut disturbs nobody";
  harness.Disconnect("a");
  harness.Pass(absl::Seconds(11));
  EXPECT_EQ(harness.state().nodes.at("a").record.state, NodeState::kLost);
}

TEST(MembershipTest, NothingIsLostInTheGraceAfterAStart) {
  CoreHarness harness;
  harness.Register("a", 0, 4000);
  const std::string id = harness.Submit(TrainDraft("t", 1, Asks(0, 1000)));
  harness.AllReady(id);
  harness.Restart();
  harness.Pass(absl::Seconds(29));
  EXPECT_EQ(harness.state().nodes.at("a").record.state, NodeState::kAlive);
  EXPECT_EQ(harness.attempt(id).state, AttemptState::kRunning);
  harness.Pass(absl::Seconds(2));
  EXPECT_EQ(harness.state().nodes.at("a").record.state, NodeState::kLost);
}

TEST(MembershipTest, LeasesAreStretchedWhenTheCoordinatorItselfWasAway) {
  Core core({}, {}, absl::UnixEpoch());
  core.Step(From("a", "host-1", 1, 100), absl::UnixEpoch());
  core.Step(Tick{}, absl::UnixEpoch() + absl::Seconds(60));
  EXPECT_EQ(core.state().nodes.at("a").record.state, NodeState::kAlive);
  for (int i = 1; i <= 110; ++i) {
    core.Step(Tick{}, absl::UnixEpoch() + absl::Seconds(60) + i * absl::Milliseconds(100));
  }
  EXPECT_EQ(core.state().nodes.at("a").record.state, NodeState::kLost);
}

class LostTaskTest : public testing::Test {
 protected:
  void SetUp() override {
    harness_.Register("a", 0, 4000);
    id_ = harness_.Submit(TrainDraft("t", 1, Asks(0, 4000)));
    harness_.AllReady(id_);
    uid_ = harness_.TasksOf(id_).at("trainer/0").task_uid;
    harness_.Disconnect("a");
    harness_.Pass(absl::Seconds(12));
    ASSERT_EQ(harness_.task(uid_).state, TaskState::kLost);
    ASSERT_EQ(harness_.job(id_).state, JobState::kQueued);
  }
  CoreHarness harness_;
  std::string id_;
  uint64_t uid_ = 0;
};

TEST_F(LostTaskTest, ItsSlotIsFreeWhenItsNodeRegistersWithoutIt) {
  harness_.Register("a", 0, 4000);
  EXPECT_EQ(harness_.state().tasks.count(uid_), 0);
  EXPECT_EQ(harness_.job(id_).state, JobState::kActive);
}

TEST_F(LostTaskTest, ItIsStoppedWhenItsNodeComesBackWithIt) {
  harness_.Register("a", 0, 4000, {{uid_, TaskState::kStarting}});
  EXPECT_EQ(harness_.job(id_).state, JobState::kQueued) << "the slot is still taken";
  EXPECT_TRUE(harness_.DesiredOf("a").at(uid_).stop);
  harness_.ExitOf(uid_, EndClass::kSignal);
  EXPECT_EQ(harness_.job(id_).state, JobState::kActive);
  EXPECT_EQ(harness_.DesiredOf("a").count(uid_), 0);
}

TEST(MembershipTest, TasksOfAnAgentThatStartedAnewAreGone) {
  CoreHarness harness;
  harness.Register("a", 0, 4000);
  const std::string id = harness.Submit(TrainDraft("t", 1, Asks(0, 4000)));
  harness.AllReady(id);
  harness.Disconnect("a");
  harness.Renonce("a");
  harness.Register("a", 0, 4000);
  harness.Pass(absl::Seconds(1));
  EXPECT_EQ(harness.attempt(id).number, 2);
  EXPECT_EQ(harness.job(id).attempts_without_commit, 0) << "a lost node does not count";
}

TEST(MembershipTest, AnOrderThatNeverArrivedIsSentAgainAndNotTakenForAnExit) {
  CoreHarness harness;
  harness.Register("a", 0, 4000);
  const std::string id = harness.Submit(TrainDraft("t", 1, Asks(0, 4000)));
  const uint64_t uid = harness.TasksOf(id).at("trainer/0").task_uid;
  harness.Disconnect("a");
  harness.Register("a", 0, 4000);
  EXPECT_EQ(harness.task(uid).state, TaskState::kAssigned);
  EXPECT_EQ(harness.DesiredOf("a").count(uid), 1);
}

TEST(MembershipTest, ARegistrationThatANewerStreamOvertookIsNotBelieved) {
  CoreHarness harness;
  harness.Register("a", 0, 4000);
  harness.Disconnect("a");
  const SessionId newer = harness.Register("a", 0, 4000);
  const std::string id = harness.Submit(TrainDraft("t", 1, Asks(0, 4000)));
  harness.AllReady(id);
  const uint64_t uid = harness.TasksOf(id).at("trainer/0").task_uid;
  AgentRegister late;
  late.session = newer - 1;
  late.node = "a";
  late.process_nonce = 1;
  late.offer = harness.state().nodes.at("a").record.offer;
  harness.Step(late);
  ASSERT_EQ(harness.Orders<CloseSession>().size(), 1);
  EXPECT_EQ(harness.Orders<CloseSession>()[0].first, late.session);
  EXPECT_EQ(harness.state().nodes.at("a").session, newer);
  EXPECT_EQ(harness.task(uid).state, TaskState::kReady) << "its old list lacks a task that runs";
}

TEST(MembershipTest, AnExitIsAcknowledgedEvenWhenItIsKnown) {
  CoreHarness harness;
  const SessionId session = harness.Register("a", 0, 4000);
  harness.Step(AgentTaskExit{session, 77, {}});
  ASSERT_EQ(harness.Orders<ExitAcks>().size(), 1);
  EXPECT_THAT(harness.Orders<ExitAcks>()[0].second.task_uids, testing::ElementsAre(77));
}

TEST(MembershipTest, MessagesOfAnUnknownStreamCloseIt) {
  CoreHarness harness;
  harness.Step(AgentHeartbeat{55, 1});
  ASSERT_EQ(harness.Orders<CloseSession>().size(), 1);
  EXPECT_TRUE(absl::IsAborted(harness.Orders<CloseSession>()[0].second.status));
}

TEST(MembershipTest, HeartbeatsAreAnsweredAtOnceAndWriteNothing) {
  CoreHarness harness;
  const SessionId session = harness.Register("a", 0, 4000);
  harness.Step(AgentHeartbeat{session, 9});
  ASSERT_EQ(harness.last().immediate.size(), 1);
  EXPECT_EQ(std::get<HeartbeatAck>(harness.last().immediate[0].order).sequence, 9);
  EXPECT_EQ(harness.last().batch, nullptr);
}

TEST(MembershipTest, ANodeThatLeavesIsDrainedWithACheckpointAndTakesNothingNew) {
  CoreHarness harness;
  const SessionId session = harness.Register("a", 0, 4000);
  const std::string id = harness.Submit(TrainDraft("t", 1, Asks(0, 4000)));
  harness.AllReady(id);
  harness.Step(AgentLeaving{session, absl::Seconds(20), "SIGTERM"});
  EXPECT_TRUE(harness.attempt(id).stop_checkpoint);
  EXPECT_EQ(harness.attempt(id).stop_deadline, harness.now() + absl::Seconds(20));
  harness.AllExit(id, EndClass::kDrained);
  EXPECT_EQ(harness.job(id).state, JobState::kQueued);
  EXPECT_EQ(harness.job(id).attempts_without_commit, 0);
  harness.Disconnect("a");
  EXPECT_EQ(harness.state().nodes.at("a").record.state, NodeState::kLost);
}

TEST(MembershipTest, ADrainedNodeIsEmptiedAndStaysCordoned) {
  CoreHarness harness;
  harness.Register("a", 0, 4000);
  const std::string id = harness.Submit(PpoDraft("p", 1));
  harness.AllReady(id);
  harness.Register("b", 0, 4000);
  harness.Step(DrainNode{5, "alice", "a", absl::Seconds(30)});
  EXPECT_TRUE(harness.answer().ok());
  harness.AllExit(id, EndClass::kDrained);
  EXPECT_EQ(harness.job(id).state, JobState::kActive);
  for (const auto& [name, task] : harness.TasksOf(id)) EXPECT_EQ(task.node, "b") << name;
  harness.Step(DrainNode{6, "alice", "nowhere", absl::Seconds(1)});
  EXPECT_TRUE(absl::IsNotFound(harness.answer()));
}

}  // namespace
}  // namespace trainyard::coordinator
