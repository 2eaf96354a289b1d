#include "agent/wire.h"

#include <gtest/gtest.h>

namespace trainyard::agent {
namespace {

TEST(Wire, ARegistrationSaysWhatTheNodeOffers) {
  Register message;
  message.offer = {.node = "node-a",
                   .process_nonce = 9,
                   .host = "host",
                   .advertise = "10.0.0.2",
                   .gpus = {{"GPU-1", "H200", 100}},
                   .cpu_milli = 2000,
                   .memory_bytes = 1000,
                   .labels = {{"pool", "train"}},
                   .roots = {{"data", "cluster-1"}},
                   .version = "1"};
  message.highest_term = 4;
  message.actual = {.desired_revision = 6, .tasks = {{7, TaskPhase::kExited, 100}}};
  const v1::AgentRegister wire = ToWire(AgentSays(message)).register_();
  EXPECT_EQ(wire.node(), "node-a");
  EXPECT_EQ(wire.process_nonce(), 9);
  EXPECT_EQ(wire.gpus(0).uuid(), "GPU-1");
  EXPECT_EQ(wire.labels().at("pool"), "train");
  EXPECT_EQ(wire.roots(0).cluster_id(), "cluster-1");
  EXPECT_EQ(wire.highest_term(), 4);
  EXPECT_EQ(wire.actual().desired_revision(), 6);
  EXPECT_EQ(wire.actual().tasks(0).state(), v1::TASK_EXITED);
}

TEST(Wire, OtherMessagesKeepTheirFields) {
  EXPECT_EQ(ToWire(AgentSays(Heartbeat{3})).heartbeat().sequence(), 3);
  const v1::TaskExit exit =
      ToWire(AgentSays(ExitReport{7, {.end_class = EndClass::kSignal, .signal = 9}})).exit();
  EXPECT_EQ(exit.task_uid(), 7);
  EXPECT_EQ(exit.end().class_(), v1::END_SIGNAL);
  EXPECT_EQ(exit.end().signal(), 9);
  const v1::PreflightResult good = ToWire(AgentSays(PreflightReport{"job", 2, true})).preflight();
  EXPECT_TRUE(good.ok());
  EXPECT_FALSE(good.has_problem());
  const v1::AgentMessage leaving = ToWire(AgentSays(NodeLeaving{absl::Seconds(5), "why"}));
  EXPECT_EQ(leaving.leaving().deadline_seconds(), 5);
}

TEST(Wire, OrdersAreRead) {
  v1::CoordinatorToAgent wire;
  v1::DesiredTasks* desired = wire.mutable_desired();
  desired->set_term(4);
  desired->set_revision(5);
  desired->set_base_revision(3);
  v1::DesiredTask* task = desired->add_tasks();
  task->set_task_uid(7);
  task->set_stop(true);
  task->set_grace_seconds(2);
  task->set_binary("trainyard-worker");
  task->add_gpus("GPU-1");
  desired->add_removed(6);
  const auto heard = FromWire(wire);
  ASSERT_TRUE(heard && std::holds_alternative<DesiredSet>(*heard));
  const auto& set = std::get<DesiredSet>(*heard);
  EXPECT_EQ(set.revision, 5);
  EXPECT_EQ(set.base_revision, 3);
  EXPECT_FALSE(set.full);
  EXPECT_EQ(set.tasks[0].grace, absl::Seconds(2));
  EXPECT_TRUE(set.tasks[0].stop);
  EXPECT_EQ(set.tasks[0].gpus[0], "GPU-1");
  EXPECT_EQ(set.removed[0], 6);
}

TEST(Wire, AnswersAreRead) {
  v1::CoordinatorToAgent wire;
  wire.mutable_registered()->set_term(4);
  wire.mutable_registered()->set_orphan_timeout_seconds(60);
  EXPECT_EQ(std::get<Registered>(*FromWire(wire)).orphan_timeout, absl::Minutes(1));
  wire.mutable_acks()->add_task_uids(7);
  EXPECT_EQ(std::get<ExitAcks>(*FromWire(wire)).task_uids[0], 7);
  wire.mutable_preflight()->set_job_id("job");
  EXPECT_EQ(std::get<PreflightOrder>(*FromWire(wire)).job_id, "job");
  wire.mutable_heartbeat()->set_term(4);
  EXPECT_EQ(std::get<HeartbeatAck>(*FromWire(wire)).term, 4);
  EXPECT_FALSE(FromWire(v1::CoordinatorToAgent()).has_value());
}

}  // namespace
}  // namespace trainyard::agent
