#include "rpc/fence_credentials.h"

#include <gtest/gtest.h>

#include "rpc/call.h"
#include "rpc/channel.h"
#include "rpc/server.h"
#include "tests/rpc/score_service.h"

namespace trainyard::rpc {
namespace {

class FencedServer : public ::testing::Test {
 protected:
  void SetUp() override {
    auto server = Server::Start({.fence = JobFence{"job-a", 7, "secret-a"}}, {&service_});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    stub_ = v1::RewardService::NewStub(OpenChannel(server_->endpoint()));
  }

  absl::Status CallAs(std::optional<JobFence> fence) {
    return Call(*stub_, &v1::RewardService::Stub::GetLoad, v1::GetRewardLoadRequest(),
                {.fence = std::move(fence)})
        .status();
  }

  ScoreService service_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<v1::RewardService::Stub> stub_;
};

TEST_F(FencedServer, LetsItsOwnJobIn) {
  EXPECT_TRUE(CallAs(JobFence{"job-a", 7, "secret-a"}).ok());
  EXPECT_EQ(service_.calls, 1);
}

TEST_F(FencedServer, RefusesTheOthersBeforeAnyHandlerRuns) {
  EXPECT_EQ(CallAs(std::nullopt).code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(CallAs(JobFence{"job-b", 7, "secret-a"}).code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(CallAs(JobFence{"job-a", 7, "secret-b"}).code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(CallAs(JobFence{"job-a", 6, "secret-a"}).code(), absl::StatusCode::kAborted);
  EXPECT_EQ(CallAs(JobFence{"job-a", 8, "secret-a"}).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(service_.calls, 0);
}

TEST_F(FencedServer, SaysWhyItRefused) {
  EXPECT_EQ(CallAs(JobFence{"job-b", 7, "secret-a"}).message(),
            "this server works for job job-a, the call is of job job-b");
}

TEST_F(FencedServer, FencesStreamsToo) {
  grpc::ClientContext context;
  PrepareContext({.timeout = absl::Seconds(10), .fence = JobFence{"job-a", 6, "secret-a"}},
                 &context);
  auto reader = stub_->ScoreStream(&context, v1::ScoreRequest());
  v1::ScoreResult result;
  EXPECT_FALSE(reader->Read(&result));
  EXPECT_EQ(FromGrpc(reader->Finish(), context).code(), absl::StatusCode::kAborted);
}

}  // namespace
}  // namespace trainyard::rpc
