#include "rpc/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/cause.h"
#include "base/end_class.h"
#include "rpc/call.h"
#include "rpc/channel.h"
#include "rpc/server.h"
#include "tests/rpc/score_service.h"

namespace trainyard::rpc {
namespace {

using ::testing::HasSubstr;

TEST(Status, EveryCodeHasTheSameNumberOnTheWire) {
  for (int code = 0; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), code == 0 ? "" : "why");
    const grpc::Status wire = ToGrpc(status);
    EXPECT_EQ(wire.error_code(), code);
    EXPECT_EQ(wire.error_message(), status.message());
  }
}

TEST(Status, ADetailTravelsInTheTrailingMetadata) {
  ScoreService service;
  service.behaviour = [](int, grpc::ServerContext*) {
    return WithDetail(absl::InvalidArgumentError("2 fields are wrong"),
                      {.reason = "SPEC_INVALID",
                       .violations = {{"sft.lr", "must be positive"}, {"name", "is empty"}},
                       .retry_after = absl::Seconds(3),
                       .remedy = "correct them"});
  };
  auto server = Server::Start({}, {&service});
  ASSERT_TRUE(server.ok()) << server.status();
  auto stub = v1::RewardService::NewStub(OpenChannel((*server)->endpoint()));
  const auto answer =
      Call(*stub, &v1::RewardService::Stub::GetLoad, v1::GetRewardLoadRequest(), {});
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kInvalidArgument);
  const auto detail = DetailOf(answer.status());
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason, "SPEC_INVALID");
  ASSERT_EQ(detail->violations.size(), 2);
  EXPECT_EQ(detail->violations[1].field, "name");
  EXPECT_EQ(detail->retry_after, absl::Seconds(3));
  EXPECT_EQ(detail->remedy, "correct them");
}

TEST(Status, ALongMessageIsCutInsteadOfBreakingTheHeaderLimit) {
  ScoreService service;
  service.behaviour = [](int, grpc::ServerContext*) {
    return absl::InternalError(std::string(100'000, 'x'));
  };
  auto server = Server::Start({}, {&service});
  ASSERT_TRUE(server.ok()) << server.status();
  auto stub = v1::RewardService::NewStub(OpenChannel((*server)->endpoint()));
  const auto answer =
      Call(*stub, &v1::RewardService::Stub::GetLoad, v1::GetRewardLoadRequest(), {});
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(answer.status().message()), HasSubstr("(cut)"));
}

TEST(Status, AServerThatIsNotThereIsALostPeer) {
  const auto stub = v1::RewardService::NewStub(OpenChannel("127.0.0.1:1"));
  const auto answer = Call(*stub, &v1::RewardService::Stub::GetLoad, v1::GetRewardLoadRequest(),
                           {.timeout = absl::Seconds(20)});
  EXPECT_TRUE(absl::IsUnavailable(answer.status())) << answer.status();
  EXPECT_EQ(CauseOf(answer.status()), EndClass::kPeerLost);
}

TEST(Status, WhatIsFullOverThereIsNoFullDiskHere) {
  ScoreService service;
  service.behaviour = [](int, grpc::ServerContext*) { return DiskFullError("its disk"); };
  auto server = Server::Start({}, {&service});
  ASSERT_TRUE(server.ok()) << server.status();
  const auto stub = v1::RewardService::NewStub(OpenChannel((*server)->endpoint()));
  const auto answer =
      Call(*stub, &v1::RewardService::Stub::GetLoad, v1::GetRewardLoadRequest(), {});
  EXPECT_TRUE(absl::IsResourceExhausted(answer.status())) << answer.status();
  EXPECT_EQ(EndClassOf(answer.status()), EndClass::kInternal);
}

TEST(Status, WithoutADetailThereIsNone) {
  EXPECT_FALSE(DetailOf(absl::NotFoundError("x")).has_value());
  EXPECT_FALSE(DetailOf(absl::OkStatus()).has_value());
}

}  // namespace
}  // namespace trainyard::rpc
