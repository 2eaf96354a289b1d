#include "base/bounded_queue.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

namespace trainyard {
namespace {

TEST(BoundedQueueTest, RefusesWhenFullAndKeepsTheRefusedValue) {
  BoundedQueue<std::unique_ptr<int>> queue(1);
  EXPECT_TRUE(queue.TryPush(std::make_unique<int>(1)));
  auto second = std::make_unique<int>(2);
  EXPECT_FALSE(queue.TryPush(std::move(second)));
  ASSERT_NE(second, nullptr);
  EXPECT_FALSE(queue.Push(std::move(second), absl::Milliseconds(1)));
  ASSERT_NE(second, nullptr);
}

TEST(BoundedQueueTest, AClosedQueueDrainsThenGivesNothingAtOnce) {
  BoundedQueue<int> queue(4);
  EXPECT_TRUE(queue.TryPush(7));
  queue.Close();
  EXPECT_FALSE(queue.TryPush(8));
  EXPECT_EQ(queue.Pop(absl::InfiniteDuration()), 7);
  EXPECT_EQ(queue.Pop(absl::InfiniteDuration()), std::nullopt);
  EXPECT_TRUE(queue.closed());
}

TEST(BoundedQueueTest, PopAllTakesEverythingInOrder) {
  BoundedQueue<int> queue(4);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(queue.TryPush(int{i}));
  const auto all = queue.PopAll();
  EXPECT_EQ(std::vector<int>(all.begin(), all.end()), (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(queue.size(), 0);
}

TEST(BoundedQueueTest, EverythingPushedByManyThreadsIsPoppedOnce) {
  constexpr int kProducers = 3, kEach = 500;
  BoundedQueue<int> queue(8);
  std::vector<std::thread> producers;
  for (int producer = 0; producer < kProducers; ++producer) {
    producers.emplace_back([&queue, producer] {
      for (int i = 0; i < kEach; ++i) {
        EXPECT_TRUE(queue.Push(producer * kEach + i, absl::Seconds(30)));
      }
    });
  }
  std::vector<int> times_seen(kProducers * kEach);
  for (int i = 0; i < kProducers * kEach; ++i) {
    const auto item = queue.Pop(absl::Seconds(30));
    ASSERT_TRUE(item.has_value());
    ++times_seen[*item];
  }
  for (std::thread& producer : producers) producer.join();
  EXPECT_EQ(times_seen, std::vector<int>(kProducers * kEach, 1));
}

}  // namespace
}  // namespace trainyard
