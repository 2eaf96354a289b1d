#include "coordinator/agent_service.h"

#include <gmock/gmock.h>

#include "tests/coordinator_service/service_fixture.h"

namespace trainyard::coordinator {
namespace {

using ::testing::HasSubstr;
using Order = v1::CoordinatorToAgent;

class AgentServiceTest : public ServiceTest {
 protected:
  static bool IsRegistered(const Order& order) { return order.has_registered(); }
  std::unique_ptr<ShipLine> Ship() {
    return std::make_unique<ShipLine>(
        [&](grpc::ClientContext* context) { return agents_->ShipLogs(context); });
  }
};

TEST_F(AgentServiceTest, AnAgentIsToldTheTermAndItsLease) {
  const auto agent = Agent("a");
  const auto registered = agent->Await(IsRegistered).registered();
  EXPECT_EQ(registered.term(), 1u);
  EXPECT_EQ(registered.incarnation(), 1u);
  EXPECT_GT(registered.lease_seconds(), registered.heartbeat_seconds());
  v1::AgentMessage beat;
  beat.mutable_heartbeat()->set_sequence(7);
  ASSERT_TRUE(agent->Send(beat));
  EXPECT_EQ(agent->Await([](const Order& order) { return order.has_heartbeat(); })
                .heartbeat().sequence(), 7);
}

TEST_F(AgentServiceTest, ASecondLiveAgentOfANameIsRefusedWithBothHosts) {
  const auto first = Agent("a", 1);
  first->Await(IsRegistered);
  const auto second = Agent("a", 2);
  Order order;
  EXPECT_FALSE(second->Next(&order));
  const absl::Status status = second->Finish();
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(status.message()), HasSubstr("a.example"));
}

TEST_F(AgentServiceTest, TheSameProcessKeepsItsIncarnationOverARestartOfTheCoordinator) {
  Agent("a", 1)->Await(IsRegistered);
  Restart();
  const auto again = Agent("a", 1)->Await(IsRegistered).registered();
  EXPECT_EQ(again.incarnation(), 1u);
  EXPECT_EQ(again.term(), 2u);
}

TEST_F(AgentServiceTest, WhatShouldRunIsToldAndAnExitIsAcknowledged) {
  const auto agent = Agent("a");
  const auto job = Submit(Named("job"), "r");
  ASSERT_TRUE(job.ok()) << job.status();
  const v1::TaskAssignment task = Assignments(*agent, 1)[0];
  EXPECT_EQ(task.job_id(), job->id());
  EXPECT_EQ(task.role(), "trainer");
  EXPECT_EQ(task.secret().size(), 64u);
  Running(*agent, task.task_uid());
  Exit(*agent, task.task_uid(), v1::END_USER_ERROR);
  const Order acks = agent->Await([](const Order& order) { return order.has_acks(); });
  ASSERT_EQ(acks.acks().task_uids_size(), 1);
  EXPECT_EQ(acks.acks().task_uids(0), task.task_uid());
}

TEST_F(AgentServiceTest, APieceOfALogIsKeptOnceAndAnEmptyOneAsksWhatIsKept) {
  const auto ship = Ship();
  v1::LogShipment piece;
  piece.set_job_id("j1");
  piece.set_attempt(1);
  piece.set_task("trainer/0");
  piece.set_task_uid(5);
  piece.set_data("hello\n");
  v1::LogAck ack;
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(ship->Send(piece));
    ASSERT_TRUE(ship->Next(&ack));
    EXPECT_EQ(ack.task_uid(), 5u);
    EXPECT_EQ(ack.offset(), 6);
  }
  piece.clear_data();
  ASSERT_TRUE(ship->Send(piece));
  ASSERT_TRUE(ship->Next(&ack));
  EXPECT_EQ(ack.offset(), 6);
}

TEST_F(AgentServiceTest, APieceOverTheLimitEndsItsStream) {
  const auto ship = Ship();
  v1::LogShipment piece;
  piece.set_data(std::string((64 << 10) + 1, 'x'));
  ASSERT_TRUE(ship->Send(piece));
  v1::LogAck ack;
  EXPECT_FALSE(ship->Next(&ack));
  EXPECT_EQ(ship->Finish().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace trainyard::coordinator
