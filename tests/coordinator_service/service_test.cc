#include "coordinator/service.h"

#include <gmock/gmock.h>

#include "tests/coordinator_service/service_fixture.h"

namespace trainyard::coordinator {
namespace {

using ::testing::HasSubstr;

TEST_F(ServiceTest, ARestartKeepsEverythingThatWasAcknowledged) {
  const auto job = Submit(Named("a"), "r1");
  ASSERT_TRUE(job.ok());
  ASSERT_TRUE(Submit(Named("b"), "r2").ok());
  ASSERT_TRUE(Cancel("b").ok());
  Restart();
  EXPECT_EQ(Get("a")->id(), job->id());
  EXPECT_EQ(Get("a")->state(), v1::QUEUED);
  EXPECT_EQ(Get("b")->state(), v1::CANCELLED);
  EXPECT_EQ(Submit(Named("a"), "r1")->id(), job->id());
  const auto status =
      AskCluster(&v1::ClusterService::Stub::GetClusterStatus, v1::GetClusterStatusRequest());
  EXPECT_EQ(status->term(), 2u);
}

TEST_F(ServiceTest, ASecondCoordinatorOnTheDirectoryIsRefused) {
  Config config;
  config.state_dir = dir_.File("state");
  config.listen = "127.0.0.1:0";
  config.http = "";
  const auto second =
      Coordinator::Start(config, CoreOptions(), Clock::Real(), [](const absl::Status&) {});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(config.state_dir));
}

}  // namespace
}  // namespace trainyard::coordinator
