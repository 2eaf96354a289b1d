// task/stop_on_signal.cc

#include <gtest/gtest.h>

#include "base/shutdown.h"
#include "task/session.h"

namespace trainyard::task {
namespace {

// In a child: signals are the whole process's.
TEST(StopOnSignalDeathTest, SigtermBecomesAStopOrderWithACheckpoint) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        BlockStopSignals();
        const std::unique_ptr<TaskSession> session = StandAlone();
        const StopOnSignal stop(session.get());
        RequestStop();
        const auto order = session->WaitForStop(absl::Seconds(20));
        _exit(order && order->checkpoint ? 3 : 4);
      },
      ::testing::ExitedWithCode(3), "");
}

TEST(StopOnSignalDeathTest, ASecondSignalLeavesAtOnce) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        BlockStopSignals();
        const std::unique_ptr<TaskSession> session = StandAlone();
        const StopOnSignal stop(session.get());
        RequestStop();
        session->WaitForStop(absl::Seconds(20));
        RequestStop();
        absl::Mutex mutex;
        absl::MutexLock lock(&mutex);
        const bool never = false;
        mutex.AwaitWithTimeout(absl::Condition(&never), absl::Seconds(20));
      },
      ::testing::ExitedWithCode(ExitCodeOf(EndClass::kDrained)), "a second signal");
}

}  // namespace
}  // namespace trainyard::task
