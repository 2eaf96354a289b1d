#include "reward_service/reward_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rpc/call.h"
#include "rpc/channel.h"

namespace trainyard::reward_service {
namespace {

RewardServerOptions Options() {
  RewardServerOptions options;
  options.job.options.components = {{"digits", 1, RegexOptions{"\\d", 1}}};
  return options;
}

TEST(RewardServer, AScorerThatDoesNotLoadIsNamed) {
  RewardServerOptions options = Options();
  options.job.options.components.push_back({"rm", 1, LearnedScorerOptions{"/nowhere"}});
  const auto server = RewardServer::Start(std::move(options));
  EXPECT_THAT(std::string(server.status().message()), ::testing::HasSubstr("component \"rm\""));
}

TEST(RewardServer, WithAFenceOnlyItsJobIsServed) {
  RewardServerOptions options = Options();
  options.fence = rpc::JobFence{"job", 3, std::string(64, 'a')};
  const auto server = RewardServer::Start(std::move(options));
  ASSERT_TRUE(server.ok()) << server.status();
  const auto stub = v1::RewardService::NewStub(rpc::OpenChannel((*server)->endpoint()));
  rpc::CallOptions call;
  EXPECT_EQ(rpc::Call(*stub, &v1::RewardService::Stub::GetSpec, v1::GetRewardSpecRequest(), call)
                .status()
                .code(),
            absl::StatusCode::kPermissionDenied);
  call.fence = rpc::JobFence{"job", 3, std::string(64, 'a')};
  EXPECT_TRUE(
      rpc::Call(*stub, &v1::RewardService::Stub::GetSpec, v1::GetRewardSpecRequest(), call).ok());
}

TEST(RewardServer, EqualOptionsHaveEqualIdentityOnAnotherServer) {
  std::string hashes[2];
  for (std::string& hash : hashes) {
    const auto server = RewardServer::Start(Options());
    const auto stub = v1::RewardService::NewStub(rpc::OpenChannel((*server)->endpoint()));
    hash = rpc::Call(*stub, &v1::RewardService::Stub::GetSpec, v1::GetRewardSpecRequest(), {})
               ->spec_hash();
  }
  EXPECT_EQ(hashes[0], hashes[1]);
}

}  // namespace
}  // namespace trainyard::reward_service
