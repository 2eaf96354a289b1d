#include "coordinator/core/orders.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/coordinator/core_harness.h"

namespace trainyard::coordinator {
namespace {

TEST(OrdersTest, ARegistrationIsAnsweredWithTheWholeLevel) {
  CoreHarness harness;
  harness.Register("a", 0, 4000);
  harness.Submit(TrainDraft("t", 2, Asks(0, 1000)));
  harness.Disconnect("a");
  harness.Register("a", 0, 4000);
  ASSERT_EQ(harness.Orders<DesiredSet>().size(), 1);
  EXPECT_EQ(harness.Orders<DesiredSet>()[0].second.tasks.size(), 2);
  EXPECT_EQ(harness.Orders<DesiredSet>()[0].second.term, harness.core().term());
}

TEST(OrdersTest, TheLevelNamesATaskUntilItsExitIsRecorded) {
  CoreHarness harness;
  harness.Register("a", 0, 4000);
  const std::string id = harness.Submit(TrainDraft("t", 1, Asks(0, 1000)));
  const uint64_t uid = harness.TasksOf(id).at("trainer/0").task_uid;
  ASSERT_TRUE(harness.Change(JobVerb::kCancel, id).ok());
  EXPECT_TRUE(harness.DesiredOf("a").at(uid).stop);
  harness.ExitOf(uid, EndClass::kDrained);
  EXPECT_TRUE(harness.DesiredOf("a").empty());
  EXPECT_EQ(harness.Orders<ExitAcks>().size(), 1);
}

TEST(OrdersTest, RevisionsOfTheLevelsNeverGoBack) {
  CoreHarness harness;
  harness.Register("a", 0, 4000);
  int64_t last = 0;
  for (const char* name : {"t", "u", "v"}) {
    harness.Submit(TrainDraft(name, 1, Asks(0, 1000)));
    const auto sets = harness.Orders<DesiredSet>();
    ASSERT_EQ(sets.size(), 1);
    EXPECT_GT(sets[0].second.revision, last);
    last = sets[0].second.revision;
  }
}

TEST(OrdersTest, PeersAreTheWholeAttemptWithWhoLeaves) {
  CoreHarness harness;
  harness.Register("a", 0, 8000);
  const std::string id = harness.Submit(PpoDraft("p", 2));
  harness.AllReady(id);
  const auto everybody = PeersOf(harness.state(), harness.state().jobs.at(id));
  ASSERT_EQ(everybody.size(), 4);
  EXPECT_EQ(everybody[0].role, "controller");
  EXPECT_EQ(everybody[3].role, "rollout");
  EXPECT_EQ(everybody[3].index, 1);
  EXPECT_FALSE(everybody[3].draining);
  harness.DoDue();
  ASSERT_TRUE(harness.Scale(id, "rollout", 1).ok());
  harness.DoDue();
  const auto sent = harness.Orders<PeerSet>();
  ASSERT_EQ(sent.size(), 4) << "everybody is told";
  const Peer& leaving = (*sent[0].second.peers)[3];
  EXPECT_TRUE(leaving.draining);
  EXPECT_TRUE(leaving.ready) << "it still answers what it has";
}

TEST(OrdersTest, AGangThatBecomesReadyOneByOneIsToldInRounds) {
  constexpr int kTasks = 64;
  CoreHarness harness;
  harness.Register("a", 0, kTasks * 1000);
  const std::string id = harness.Submit(TrainDraft("t", kTasks, Asks(0, 1000)));
  std::map<SessionId, int> told;
  std::map<SessionId, int64_t> revisions;
  const auto count = [&] {
    for (const auto& [session, set] : harness.Orders<PeerSet>()) {
      ++told[session];
      EXPECT_GT(set.revision, revisions[session]);
      revisions[session] = set.revision;
    }
  };
  for (const auto& [name, task] : harness.TasksOf(id)) {
    harness.Hello(task.task_uid);
    count();
  }
  harness.DoDue();
  count();
  ASSERT_EQ(told.size(), kTasks);
  for (const auto& [session, times] : told) EXPECT_EQ(times, 1);
  for (const Peer& peer : *harness.Orders<PeerSet>()[0].second.peers) EXPECT_TRUE(peer.ready);
  EXPECT_EQ(harness.core().DueAt(), absl::InfiniteFuture()) << "everybody knows everything";
}

TEST(OrdersTest, OnlyWhoDoesNotKnowThePeersIsToldThem) {
  CoreHarness harness;
  harness.Register("a", 0, 4000);
  const std::string id = harness.Submit(TrainDraft("t", 2, Asks(0, 1000)));
  harness.AllReady(id);
  harness.DoDue();
  const SessionId again = harness.Hello(harness.TasksOf(id).at("trainer/1").task_uid);
  harness.DoDue();
  const auto sent = harness.Orders<PeerSet>();
  ASSERT_EQ(sent.size(), 1) << "nothing changed for the other one";
  EXPECT_EQ(sent[0].first, again);
}

TEST(OrdersTest, AnAgentIsNotToldWhatDoesNotConcernIt) {
  CoreHarness harness;
  harness.Register("a", 0, 4000);
  const std::string id = harness.Submit(TrainDraft("t", 1, Asks(0, 1000)));
  harness.AllReady(id);
  EXPECT_TRUE(harness.Orders<DesiredSet>().empty());
}

}  // namespace
}  // namespace trainyard::coordinator
