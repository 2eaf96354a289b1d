#include "base/shutdown.h"

#include <gtest/gtest.h>

#include <csignal>

namespace trainyard {
namespace {

TEST(ShutdownTest, AStopRequestIsReceivedOnceAsSigterm) {
  BlockStopSignals();
  EXPECT_EQ(WaitForStopSignal(absl::Milliseconds(1)), 0);
  RequestStop();
  EXPECT_EQ(WaitForStopSignal(absl::Seconds(10)), SIGTERM);
  EXPECT_EQ(WaitForStopSignal(absl::Milliseconds(1)), 0);
}

}  // namespace
}  // namespace trainyard
