#include "coordinator/durable_gate.h"

#include <gtest/gtest.h>

#include <vector>

#include "absl/synchronization/notification.h"

namespace trainyard::coordinator {
namespace {

constexpr absl::Duration kLimit = absl::Seconds(30);

TEST(DurableGateTest, NothingIsReleasedBeforeItsRevisionIsDurable) {
  DurableGate gate;
  absl::Notification first, second;
  gate.Push(1, [&] { first.Notify(); });
  gate.Push(2, [&] { second.Notify(); });
  gate.OnDurable(int64_t{1});
  EXPECT_TRUE(first.WaitForNotificationWithTimeout(kLimit));
  EXPECT_FALSE(second.HasBeenNotified());
  EXPECT_EQ(gate.waiting(), 1u);
  gate.OnDurable(int64_t{2});
  EXPECT_TRUE(second.WaitForNotificationWithTimeout(kLimit));
}

TEST(DurableGateTest, ReleasesComeInTheirOrder) {
  DurableGate gate;
  std::vector<int> order;
  absl::Notification done;
  for (int i = 0; i < 100; ++i) gate.Push(i / 10, [&, i] { order.push_back(i); });
  gate.Push(10, [&] { done.Notify(); });
  gate.OnDurable(int64_t{10});
  ASSERT_TRUE(done.WaitForNotificationWithTimeout(kLimit));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[i], i);
}

TEST(DurableGateTest, AfterAFailedWriteNothingIsReleased) {
  bool released = false;
  {
    DurableGate gate;
    gate.OnDurable(int64_t{1});
    gate.OnDurable(absl::UnavailableError("disk"));
    gate.Push(2, [&] { released = true; });
    EXPECT_EQ(gate.failure().message(), "disk");
    gate.Stop();
  }
  EXPECT_FALSE(released);
}

TEST(DurableGateTest, StopRunsWhatIsDurableAndDropsTheRest) {
  int ran = 0;
  DurableGate gate;
  gate.OnDurable(int64_t{1});
  gate.Push(1, [&] { ++ran; });
  gate.Push(2, [&] { ++ran; });
  gate.Stop();
  EXPECT_EQ(ran, 1);
}

}  // namespace
}  // namespace trainyard::coordinator
