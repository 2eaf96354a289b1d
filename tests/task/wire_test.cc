#include "task/wire.h"

#include <gtest/gtest.h>

namespace trainyard::task {
namespace {

v1::TaskMessage Said(const TaskSays& said) { return ToWire(said); }

TEST(Wire, WhatATaskSays) {
  const v1::TaskHello hello =
      Said(Hello{"job", 1, 2, "secret", 3, "cpu", "host:1", true}).hello();
  EXPECT_EQ(hello.job_id(), "job");
  EXPECT_EQ(hello.epoch(), 1);
  EXPECT_EQ(hello.task_uid(), 2);
  EXPECT_EQ(hello.secret(), "secret");
  EXPECT_EQ(hello.highest_term(), 3);
  EXPECT_EQ(hello.numerics_id(), "cpu");
  EXPECT_EQ(hello.endpoint(), "host:1");
  EXPECT_TRUE(hello.ready());
  EXPECT_EQ(Said(ReadyNotice{"host:1", "cpu"}).ready().endpoint(), "host:1");
  EXPECT_EQ(Said(Progress{"train", 5, 9, 1.5, 0.25, "loss"}).progress().step(), 5);
  EXPECT_EQ(Said(StepMetrics{4, {{"kl", 0.5}}}).metrics().values().at("kl"), 0.5);
  EXPECT_EQ(Said(StepMetrics{4, {{"kl", 0.5}}}).metrics().step(), 4);
  EXPECT_EQ(Said(Heartbeat{8}).heartbeat().sequence(), 8);
  EXPECT_EQ(Said(EndReason{.end_class = EndClass::kNan}).end().class_(), v1::END_NAN);
}

TEST(Wire, WhatATaskHears) {
  v1::CoordinatorToTask message;
  message.mutable_welcome()->set_term(7);
  message.mutable_welcome()->set_heartbeat_seconds(2);
  EXPECT_EQ(std::get<Welcome>(*FromWire(message)).term, 7);
  EXPECT_EQ(std::get<Welcome>(*FromWire(message)).heartbeat, absl::Seconds(2));

  message.mutable_stop()->set_checkpoint(true);
  message.mutable_stop()->set_grace_seconds(9);
  message.mutable_stop()->set_reason("scale");
  const auto stop = std::get<StopOrder>(*FromWire(message));
  EXPECT_TRUE(stop.checkpoint);
  EXPECT_EQ(stop.grace, absl::Seconds(9));
  EXPECT_EQ(stop.reason, "scale");

  message.mutable_heartbeat()->set_sequence(1);
  message.mutable_heartbeat()->set_term(7);
  EXPECT_EQ(std::get<HeartbeatAck>(*FromWire(message)).term, 7);
  message.mutable_end();
  EXPECT_TRUE(std::holds_alternative<EndAck>(*FromWire(message)));
}

TEST(Wire, PeersSurviveWhole) {
  v1::CoordinatorToTask message;
  message.mutable_peers()->set_revision(3);
  v1::Peer* wire = message.mutable_peers()->add_peers();
  wire->set_task_uid(1);
  wire->set_role("rollout");
  wire->set_index(2);
  wire->set_endpoint("host:1");
  wire->set_ready(true);
  wire->set_draining(true);
  wire->set_node("node");
  wire->set_numerics_id("cpu");
  const auto peers = std::get<PeerSnapshot>(*FromWire(message));
  EXPECT_EQ(peers.revision, 3);
  ASSERT_EQ(peers.peers.size(), 1);
  const Peer& peer = peers.peers[0];
  EXPECT_EQ(peer.task_uid, 1);
  EXPECT_EQ(peer.role, "rollout");
  EXPECT_EQ(peer.index, 2);
  EXPECT_EQ(peer.endpoint, "host:1");
  EXPECT_TRUE(peer.ready);
  EXPECT_TRUE(peer.draining);
  EXPECT_EQ(peer.node, "node");
  EXPECT_EQ(peer.numerics_id, "cpu");
}

TEST(Wire, AMessageOfALaterVersionIsPassedOver) {
  EXPECT_FALSE(FromWire(v1::CoordinatorToTask()).has_value());
}

}  // namespace
}  // namespace trainyard::task
