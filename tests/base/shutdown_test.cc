#include "base/shutdown.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

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

TEST(ShutdownTest, AProcessThatWasStoppedAndGoesOnDoesNotTakeItForAStopSignal) {
  const pid_t child = fork();
  if (child == 0) {
    BlockStopSignals();
    const int received = WaitForStopSignal(absl::InfiniteDuration());
    _exit(received == SIGTERM ? 0 : 1);
  }
  int status = 0;
  for (int round = 0; round < 20; ++round) {
    kill(child, SIGSTOP);
    ASSERT_EQ(waitpid(child, &status, WUNTRACED), child);
    ASSERT_TRUE(WIFSTOPPED(status)) << "the wait ended without a signal";
    kill(child, SIGCONT);
  }
  kill(child, SIGTERM);
  ASSERT_EQ(waitpid(child, &status, 0), child);
  const bool as_wanted = (WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
                         (WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
  EXPECT_TRUE(as_wanted) << status;
}

}  // namespace
}  // namespace trainyard
