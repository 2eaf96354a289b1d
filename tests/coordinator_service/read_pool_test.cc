#include "coordinator/read_pool.h"

#include <gtest/gtest.h>

#include <atomic>

#include "absl/synchronization/notification.h"

namespace trainyard::coordinator {
namespace {

TEST(ReadPoolTest, WhatIsQueuedRunsBeforeTheEnd) {
  std::atomic<int> ran = 0;
  {
    ReadPool pool(2, 100);
    for (int i = 0; i < 50; ++i) EXPECT_TRUE(pool.Post([&] { ++ran; }));
  }
  EXPECT_EQ(ran, 50);
}

TEST(ReadPoolTest, AFullPoolRefuses) {
  absl::Notification started, go;
  ReadPool pool(1, 1);
  ASSERT_TRUE(pool.Post([&] {
    started.Notify();
    go.WaitForNotification();
  }));
  started.WaitForNotification();
  EXPECT_TRUE(pool.Post([] {}));
  EXPECT_FALSE(pool.Post([] {}));
  go.Notify();
}

}  // namespace
}  // namespace trainyard::coordinator
