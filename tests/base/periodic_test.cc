#include "base/periodic.h"

#include <gtest/gtest.h>

#include <atomic>

#include "absl/synchronization/notification.h"

namespace trainyard {
namespace {

TEST(PeriodicTest, TicksUntilItIsDestroyedAndNeverAfter) {
  std::atomic<int> ticks = 0;
  absl::Notification three;
  {
    const Periodic periodic(absl::Milliseconds(1), [&] {
      if (++ticks == 3) three.Notify();
    });
    ASSERT_TRUE(three.WaitForNotificationWithTimeout(absl::Seconds(30)));
  }
  const int at_end = ticks;
  EXPECT_EQ(ticks, at_end);
}

TEST(PeriodicTest, ALongIntervalDoesNotDelayDestruction) {
  const Periodic periodic(absl::Hours(1), [] { FAIL(); });
}

}  // namespace
}  // namespace trainyard
