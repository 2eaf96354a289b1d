#include "rpc/server.h"

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <thread>

#include "absl/synchronization/notification.h"
#include "rpc/call.h"
#include "tests/rpc/score_service.h"

namespace trainyard::rpc {
namespace {

using ::testing::HasSubstr;

absl::Status GetLoad(const std::string& endpoint, absl::Duration timeout = absl::Seconds(10)) {
  auto stub = v1::RewardService::NewStub(OpenChannel(endpoint));
  return Call(*stub, &v1::RewardService::Stub::GetLoad, v1::GetRewardLoadRequest(),
              {.timeout = timeout})
      .status();
}

// The health service speaks protobuf we have no headers for: SERVING is {status: 1}.
std::string HealthOf(const std::string& endpoint) {
  grpc::GenericStub stub(OpenChannel(endpoint));
  grpc::ClientContext context;
  PrepareContext({}, &context);
  grpc::CompletionQueue queue;
  const grpc::Slice nothing;
  grpc::ByteBuffer empty(&nothing, 1);
  auto call = stub.PrepareUnaryCall(&context, "/grpc.health.v1.Health/Check", empty, &queue);
  call->StartCall();
  grpc::ByteBuffer response;
  grpc::Status status;
  call->Finish(&response, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  EXPECT_TRUE(queue.Next(&tag, &ok));
  if (!status.ok()) return status.error_message();
  grpc::Slice slice;
  EXPECT_TRUE(response.DumpToSingleSlice(&slice).ok());
  const std::string bytes(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return bytes == "\x08\x01" ? "SERVING" : "NOT_SERVING";
}

TEST(Server, PortZeroBecomesARealPort) {
  ScoreService service;
  auto server = Server::Start({.listen = "127.0.0.1:0", .advertise = "localhost"}, {&service});
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_GT((*server)->port(), 0);
  EXPECT_EQ((*server)->endpoint(), "localhost:" + std::to_string((*server)->port()));
  EXPECT_TRUE(GetLoad((*server)->endpoint()).ok());
}

TEST(Server, ATakenPortIsNamed) {
  ScoreService service;
  auto first = Server::Start({}, {&service});
  ASSERT_TRUE(first.ok()) << first.status();
  ScoreService other;
  const auto second = Server::Start({.listen = (*first)->endpoint()}, {&other});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr((*first)->endpoint()));
}

TEST(Server, TakesAFreePortOfARange) {
  ScoreService service, other, third;
  auto first = Server::Start({}, {&service});
  ASSERT_TRUE(first.ok()) << first.status();
  const int taken = (*first)->port();
  const std::string range =
      "127.0.0.1:" + std::to_string(taken) + "-" + std::to_string(std::min(taken + 50, 65535));
  auto second = Server::Start({.listen = range}, {&other});
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_GT((*second)->port(), taken);
  const std::string full =
      "127.0.0.1:" + std::to_string(taken) + "-" + std::to_string(taken);
  EXPECT_EQ(Server::Start({.listen = full}, {&third}).status().code(),
            absl::StatusCode::kUnavailable);
  for (const char* bad : {"127.0.0.1:9-8", "127.0.0.1:0-5", "127.0.0.1:x-9"}) {
    EXPECT_EQ(Server::Start({.listen = bad}, {&third}).status().code(),
              absl::StatusCode::kInvalidArgument)
        << bad;
  }
}

TEST(Server, TellsItsHealth) {
  ScoreService service;
  auto server = Server::Start({.fence = JobFence{"job", 1, "secret"}}, {&service});
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ(HealthOf((*server)->endpoint()), "SERVING");
  (*server)->SetServing(false);
  EXPECT_EQ(HealthOf((*server)->endpoint()), "NOT_SERVING");
}

TEST(Server, ShutdownLetsARunningCallFinish) {
  ScoreService service;
  absl::Notification entered, go_on;
  service.behaviour = [&](int, grpc::ServerContext*) {
    entered.Notify();
    go_on.WaitForNotification();
    return absl::OkStatus();
  };
  auto server = Server::Start({}, {&service});
  ASSERT_TRUE(server.ok()) << server.status();
  absl::Status result = absl::UnknownError("not run");
  std::thread caller([&] { result = GetLoad((*server)->endpoint()); });
  entered.WaitForNotification();
  std::thread stopper([&] { (*server)->Shutdown(absl::Seconds(30)); });
  go_on.Notify();
  stopper.join();
  caller.join();
  EXPECT_TRUE(result.ok()) << result;
}

TEST(Server, ShutdownCancelsACallThatOutstaysItsPatience) {
  ScoreService service;
  absl::Notification entered;
  service.behaviour = [&](int, grpc::ServerContext* context) {
    entered.Notify();
    while (!context->IsCancelled()) std::this_thread::yield();
    return absl::OkStatus();
  };
  auto server = Server::Start({}, {&service});
  ASSERT_TRUE(server.ok()) << server.status();
  absl::Status result;
  std::thread caller([&] { result = GetLoad((*server)->endpoint(), absl::Seconds(60)); });
  entered.WaitForNotification();
  (*server)->Shutdown(absl::Milliseconds(50));
  caller.join();
  EXPECT_FALSE(result.ok());
}

TEST(ParseAddress, AcceptsHostsAndBracketedIpv6) {
  EXPECT_EQ(ParseAddress("node-a:80")->host, "node-a");
  EXPECT_EQ(ParseAddress("[::1]:0")->host, "::1");
  for (const char* bad : {"", ":80", "host", "host:", "host:x", "host:70000"}) {
    EXPECT_EQ(ParseAddress(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
}

}  // namespace
}  // namespace trainyard::rpc
