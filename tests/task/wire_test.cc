#include "task/wire.h"

#include <gtest/gtest.h>

namespace trainyard::task {
namespace {

template <typename T>
T ThereAndBack(const T& message) {
  const TaskSays back = FromWire(ToWire(TaskSays(message)));
  EXPECT_TRUE(std::holds_alternative<T>(back));
  return std::get<T>(back);
}

template <typename T>
T HeardBack(const T& message) {
  const auto back = FromWire(ToWire(TaskHears(message)));
  EXPECT_TRUE(back.has_value() && std::holds_alternative<T>(*back));
  return std::get<T>(*back);
}

TEST(Wire, WhatATaskSaysSurvives) {
  const Hello hello = ThereAndBack(Hello{"job", 1, 2, "secret", 3, "cpu", "host:1", true});
  EXPECT_EQ(hello.job_id, "job");
  EXPECT_EQ(hello.task_uid, 2);
  EXPECT_EQ(hello.highest_term, 3);
  EXPECT_TRUE(hello.ready);
  EXPECT_EQ(ThereAndBack(ReadyNotice{"host:1", "cpu"}).endpoint, "host:1");
  const Progress progress = ThereAndBack(Progress{"train", 5, 9, 1.5, 0.25, "loss"});
  EXPECT_EQ(progress.phase, "train");
  EXPECT_EQ(progress.total_steps, 9);
  EXPECT_EQ(progress.headline, 0.25);
  EXPECT_EQ(progress.headline_name, "loss");
  EXPECT_EQ(ThereAndBack(StepMetrics{4, {{"kl", 0.5}}}).values.at("kl"), 0.5);
  EXPECT_EQ(ThereAndBack(Heartbeat{8}).sequence, 8);
}

TEST(Wire, AnEndReasonSurvivesWhole) {
  const EndReason reason = ThereAndBack(
      EndReason{EndClass::kOutOfMemory, "why", 5, "train", "trainer/1", 137, 9, 1 << 20});
  EXPECT_EQ(reason.end_class, EndClass::kOutOfMemory);
  EXPECT_EQ(reason.message, "why");
  EXPECT_EQ(reason.step, 5);
  EXPECT_EQ(reason.phase, "train");
  EXPECT_EQ(reason.task, "trainer/1");
  EXPECT_EQ(reason.exit_code, 137);
  EXPECT_EQ(reason.signal, 9);
  EXPECT_EQ(reason.peak_rss_bytes, 1 << 20);
}

TEST(Wire, WhatATaskHearsSurvives) {
  EXPECT_EQ(HeardBack(Welcome{7, absl::Seconds(2)}).heartbeat, absl::Seconds(2));
  const StopOrder stop = HeardBack(StopOrder{true, absl::Seconds(9), "scale"});
  EXPECT_TRUE(stop.checkpoint);
  EXPECT_EQ(stop.grace, absl::Seconds(9));
  EXPECT_EQ(HeardBack(HeartbeatAck{1, 7}).term, 7);
  HeardBack(EndAck{});
  const PeerSnapshot peers =
      HeardBack(PeerSnapshot{3, {{1, "rollout", 2, "host:1", true, true, "node", "cpu"}}});
  ASSERT_EQ(peers.peers.size(), 1);
  EXPECT_EQ(peers.peers[0].index, 2);
  EXPECT_TRUE(peers.peers[0].draining);
  EXPECT_EQ(peers.peers[0].numerics_id, "cpu");
}

TEST(Wire, AMessageOfALaterVersionIsPassedOver) {
  EXPECT_FALSE(FromWire(v1::CoordinatorToTask()).has_value());
}

}  // namespace
}  // namespace trainyard::task
