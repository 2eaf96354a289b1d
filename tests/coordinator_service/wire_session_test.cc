// coordinator/wire_session.cc

#include <gtest/gtest.h>

#include "coordinator/wire.h"

namespace trainyard::coordinator {
namespace {

template <typename T>
T Heard(const v1::AgentMessage& message) {
  return std::get<T>(FromAgent(message, 9));
}

TEST(WireSessionTest, WhatAnAgentOffersIsKeptWhole) {
  v1::AgentMessage message;
  v1::AgentRegister* offer = message.mutable_register_();
  offer->set_node("node-a");
  offer->set_process_nonce(77);
  offer->set_highest_term(5);
  offer->set_host("a.example");
  offer->set_advertise("10.0.0.1");
  offer->set_cpu_milli(4000);
  offer->set_memory_bytes(1 << 30);
  offer->set_version("1.2");
  (*offer->mutable_labels())["zone"] = "b";
  v1::Gpu* gpu = offer->add_gpus();
  gpu->set_uuid("GPU-1");
  gpu->set_kind("H200");
  gpu->set_memory_bytes(141);
  v1::RootProof* root = offer->add_roots();
  root->set_name("runs");
  root->set_cluster_id("c1");
  v1::ActualTask* task = offer->mutable_actual()->add_tasks();
  task->set_task_uid(3);
  task->set_state(v1::TASK_RUNNING);

  const auto event = Heard<AgentRegister>(message);
  EXPECT_EQ(event.session, 9);
  EXPECT_EQ(event.node, "node-a");
  EXPECT_EQ(event.process_nonce, 77);
  EXPECT_EQ(event.highest_term, 5);
  EXPECT_EQ(event.offer.host, "a.example");
  EXPECT_EQ(event.offer.advertise, "10.0.0.1");
  EXPECT_EQ(event.offer.cpu_milli, 4000);
  EXPECT_EQ(event.offer.memory_bytes, 1 << 30);
  EXPECT_EQ(event.offer.version, "1.2");
  EXPECT_EQ(event.offer.labels.at("zone"), "b");
  ASSERT_EQ(event.offer.gpus.size(), 1);
  EXPECT_EQ(event.offer.gpus[0], (Gpu{"GPU-1", "H200", 141}));
  EXPECT_EQ(event.offer.roots.at("runs"), "c1");
  ASSERT_EQ(event.actual.size(), 1);
  EXPECT_EQ(event.actual[0].task_uid, 3);
  EXPECT_EQ(event.actual[0].state, TaskState::kRunning);
}

TEST(WireSessionTest, EveryMessageBelongsToItsSession) {
  v1::AgentMessage agent;
  agent.mutable_heartbeat()->set_sequence(4);
  EXPECT_EQ(Heard<AgentHeartbeat>(agent).session, 9);
  EXPECT_EQ(Heard<AgentHeartbeat>(agent).sequence, 4);
  agent.mutable_exit()->set_task_uid(3);
  agent.mutable_exit()->mutable_end()->set_class_(v1::END_OUT_OF_MEMORY);
  EXPECT_EQ(Heard<AgentTaskExit>(agent).session, 9);
  EXPECT_EQ(Heard<AgentTaskExit>(agent).end.end_class, EndClass::kOutOfMemory);
  agent.mutable_leaving()->set_deadline_seconds(30);
  EXPECT_EQ(Heard<AgentLeaving>(agent).deadline, absl::Seconds(30));

  v1::TaskMessage task;
  task.mutable_hello()->set_job_id("job-a");
  task.mutable_hello()->set_epoch(3);
  task.mutable_hello()->set_secret("s");
  const auto hello = std::get<TaskHello>(FromTask(task, 9));
  EXPECT_EQ(hello.session, 9);
  EXPECT_EQ(hello.job_id, "job-a");
  EXPECT_EQ(hello.epoch, 3);
  EXPECT_EQ(hello.secret, "s");
  task.mutable_progress()->set_phase("train");
  task.mutable_progress()->set_step(8);
  EXPECT_EQ(std::get<TaskProgress>(FromTask(task, 9)).progress.step, 8);
}

TEST(WireSessionTest, MetricsAreNotForTheCore) {
  v1::TaskMessage task;
  task.mutable_metrics()->set_step(8);
  EXPECT_TRUE(std::holds_alternative<Tick>(FromTask(task, 9)));
}

TEST(WireSessionTest, ATaskThatIsToStopIsToldWithoutItsAssignmentAndSecret) {
  DesiredSet set;
  set.term = 5;
  set.revision = 7;
  set.tasks.resize(2);
  set.tasks[0].task_uid = 1;
  set.tasks[0].assignment.secret = "s";
  set.tasks[1].task_uid = 2;
  set.tasks[1].stop = true;
  set.tasks[1].grace = absl::Seconds(9);
  set.tasks[1].assignment.secret = "s";
  const v1::DesiredTasks desired = ToAgent(set).desired();
  EXPECT_TRUE(desired.full());
  EXPECT_EQ(desired.term(), 5);
  EXPECT_EQ(desired.revision(), 7);
  ASSERT_EQ(desired.tasks_size(), 2);
  v1::TaskAssignment assignment;
  ASSERT_TRUE(assignment.ParseFromString(desired.tasks(0).assignment()));
  EXPECT_EQ(assignment.secret(), "s");
  EXPECT_TRUE(desired.tasks(1).stop());
  EXPECT_EQ(desired.tasks(1).grace_seconds(), 9);
  EXPECT_TRUE(desired.tasks(1).assignment().empty());
}

TEST(WireSessionTest, PeersAreToldWhole) {
  PeerSet set;
  set.revision = 3;
  const Peer peer = {.task_uid = 1,
                     .role = "rollout",
                     .index = 2,
                     .endpoint = "host:1",
                     .ready = true,
                     .draining = true,
                     .node = "node",
                     .numerics_id = "cpu"};
  set.peers = std::make_shared<const std::vector<Peer>>(1, peer);
  const v1::Peers peers = ToTask(set).peers();
  EXPECT_EQ(peers.revision(), 3);
  ASSERT_EQ(peers.peers_size(), 1);
  EXPECT_EQ(peers.peers(0).task_uid(), 1);
  EXPECT_EQ(peers.peers(0).role(), "rollout");
  EXPECT_EQ(peers.peers(0).index(), 2);
  EXPECT_EQ(peers.peers(0).endpoint(), "host:1");
  EXPECT_TRUE(peers.peers(0).ready());
  EXPECT_TRUE(peers.peers(0).draining());
  EXPECT_EQ(peers.peers(0).node(), "node");
  EXPECT_EQ(peers.peers(0).numerics_id(), "cpu");
}

}  // namespace
}  // namespace trainyard::coordinator
