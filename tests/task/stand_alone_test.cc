// task/stand_alone.cc: the session of a task that runs by itself.

#include <gtest/gtest.h>

#include "task/session.h"

namespace trainyard::task {
namespace {

TEST(StandAlone, EverythingWorksWithoutACoordinator) {
  const std::unique_ptr<TaskSession> session = StandAlone();
  session->Ready("host:1", "cpu");
  session->Report({.phase = "train", .step = 1});
  session->ReportMetrics(1, {{"loss", 1.0}});
  const auto commit = session->CommitCheckpoint({.step = 1}, absl::ZeroDuration());
  ASSERT_TRUE(commit.ok());
  EXPECT_TRUE(commit->prune.empty());
  EXPECT_TRUE(session->FinishJob({}, absl::ZeroDuration()).ok());
  EXPECT_TRUE(session->End({.end_class = EndClass::kSucceeded}, absl::ZeroDuration()).ok());
  EXPECT_TRUE(session->Peers().peers.empty());
}

TEST(StandAlone, IsWhatAnAssignmentWithoutACoordinatorGets) {
  const std::unique_ptr<TaskSession> session = Connect({});
  EXPECT_TRUE(session->End({}, absl::ZeroDuration()).ok());
}

TEST(StandAlone, CanBeStopped) {
  const std::unique_ptr<TaskSession> session = StandAlone();
  EXPECT_FALSE(session->StopRequested().has_value());
  session->RequestStop({.reason = "SIGTERM"});
  EXPECT_EQ(session->WaitForStop(absl::ZeroDuration())->reason, "SIGTERM");
}

}  // namespace
}  // namespace trainyard::task
