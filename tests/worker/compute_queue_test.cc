#include "worker/compute_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace trainyard::worker {
namespace {

constexpr absl::Duration kLong = absl::Seconds(20);

TEST(ComputeQueueTest, WorkRunsInOrderOnTheThreadThatServes) {
  ComputeQueue queue;
  std::vector<int> order;
  std::atomic<bool> done = false;
  std::thread::id ran_on;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(queue.Submit([&, i] {
      order.push_back(i);
      ran_on = std::this_thread::get_id();
      done = i == 2;
    }).ok());
  }
  queue.Serve([&] { return done.load(); });
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(ran_on, std::this_thread::get_id());
}

TEST(ComputeQueueTest, AnAnswerOrAnErrorComesBackToTheCaller) {
  ComputeQueue queue;
  std::atomic<bool> done = false;
  std::thread server([&] { queue.Serve([&] { return done.load(); }); });
  const auto answer = queue.Run<int>([]() -> absl::StatusOr<int> { return 7; }, kLong);
  const auto error = queue.Run<int>(
      []() -> absl::StatusOr<int> { return absl::DataLossError("torn"); }, kLong);
  done = true;
  server.join();
  EXPECT_EQ(answer.value_or(0), 7);
  EXPECT_EQ(error.status(), absl::DataLossError("torn"));
}

TEST(ComputeQueueTest, AFullQueueRefusesAndSaysSo) {
  ComputeQueue queue(2);
  EXPECT_TRUE(queue.Submit([] {}).ok());
  EXPECT_TRUE(queue.Submit([] {}).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(queue.Submit([] {})));
}

TEST(ComputeQueueTest, ACallerDoesNotWaitLongerThanItWants) {
  ComputeQueue queue;  // nobody serves
  const auto late =
      queue.Run<int>([]() -> absl::StatusOr<int> { return 7; }, absl::Milliseconds(1));
  EXPECT_TRUE(absl::IsDeadlineExceeded(late.status()));
}

TEST(ComputeQueueTest, WhatComesAtTheEndIsAnsweredAndNotRun) {
  ComputeQueue queue;
  std::atomic<bool> ran = false;
  bool last = false;
  absl::StatusOr<int> answer = 0;
  std::thread caller;
  const auto late = [&]() -> absl::StatusOr<int> {
    ran = true;
    return 7;
  };
  ASSERT_TRUE(queue.Submit([&] {
    caller = std::thread([&] { answer = queue.Run<int>(late, kLong); });
    last = true;
  }).ok());
  queue.Serve([&] { return last; });
  caller.join();
  EXPECT_FALSE(ran);
  EXPECT_TRUE(absl::IsUnavailable(answer.status())) << "whether it waited already or came later";
  EXPECT_TRUE(absl::IsUnavailable(queue.Submit([] {})));
}

}  // namespace
}  // namespace trainyard::worker
