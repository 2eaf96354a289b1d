#include "task/grace_watch.h"

#include <gtest/gtest.h>

#include <memory>

#include "absl/synchronization/mutex.h"
#include "base/end_class.h"

namespace trainyard::task {
namespace {

constexpr absl::Duration kLong = absl::Seconds(20);

// Waits for the process to be ended by somebody else.
void BeStuck() {
  absl::Mutex mutex;
  absl::MutexLock lock(&mutex);
  const bool never = false;
  mutex.AwaitWithTimeout(absl::Condition(&never), kLong);
}

// Ends by itself with this code when the watch does not do it before.
[[noreturn]] void Stop(WhenStopped when_stopped, absl::Duration grace) {
  const std::unique_ptr<TaskSession> session = StandAlone();
  const GraceWatch watch(session.get(), when_stopped);
  session->RequestStop({.grace = grace, .reason = "scaled down"});
  BeStuck();
  _exit(3);
}

TEST(GraceWatchDeathTest, AStopThatTakesLongerThanItsGraceIsEnded) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(Stop(WhenStopped::kFinishWithinGrace, absl::Milliseconds(50)),
              ::testing::ExitedWithCode(ExitCodeOf(EndClass::kDeadline)),
              "stop \\(scaled down\\) was not done within its grace of 50ms");
}

TEST(GraceWatchDeathTest, ATaskWithNothingToSaveEndsAtOnce) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(Stop(WhenStopped::kEndAtOnce, absl::Hours(1)),
              ::testing::ExitedWithCode(ExitCodeOf(EndClass::kDrained)), "scaled down");
}

TEST(GraceWatch, WithoutAnOrderNothingHappens) {
  const std::unique_ptr<TaskSession> session = StandAlone();
  const GraceWatch watch(session.get(), WhenStopped::kEndAtOnce);
  EXPECT_FALSE(session->WaitForStop(absl::Milliseconds(300)).has_value());
}

}  // namespace
}  // namespace trainyard::task
