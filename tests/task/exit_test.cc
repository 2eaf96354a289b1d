#include "task/exit.h"

#include <gtest/gtest.h>

namespace trainyard::task {
namespace {

TEST(ExitDeathTest, LogsTheCauseAndLeavesWithTheReservedCode) {
  EXPECT_EXIT(ExitNow({.end_class = EndClass::kDiskFull,
                       .message = "/runs is full",
                       .step = 7,
                       .phase = "checkpoint"}),
              ::testing::ExitedWithCode(ExitCodeOf(EndClass::kDiskFull)),
              "DISK_FULL at step 7 \\(checkpoint\\): /runs is full");
}

}  // namespace
}  // namespace trainyard::task
