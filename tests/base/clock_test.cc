#include "base/clock.h"

#include <gtest/gtest.h>

#include "absl/time/clock.h"

namespace trainyard {
namespace {

TEST(ClockTest, TheRealClockFollowsTheMachineAndNeverGoesBack) {
  const Clock& clock = Clock::Real();
  EXPECT_LT(absl::AbsDuration(clock.Now() - absl::Now()), absl::Seconds(5));
  absl::Duration last = clock.Monotonic();
  for (int i = 0; i < 1000; ++i) {
    const absl::Duration now = clock.Monotonic();
    ASSERT_GE(now, last);
    last = now;
  }
}

}  // namespace
}  // namespace trainyard
