#include "rpc/channel.h"

#include <gtest/gtest.h>

#include "base/clock.h"
#include "rpc/call.h"
#include "rpc/server.h"
#include "tests/rpc/score_service.h"

namespace trainyard::rpc {
namespace {

absl::Status GetLoad(v1::RewardService::Stub& stub, bool wait) {
  return Call(stub, &v1::RewardService::Stub::GetLoad, v1::GetRewardLoadRequest(),
              {.timeout = absl::Seconds(20), .wait_for_ready = wait})
      .status();
}

TEST(Channel, AnAbsentServerIsUnavailableAtOnce) {
  auto stub = v1::RewardService::NewStub(OpenChannel("127.0.0.1:1"));
  EXPECT_EQ(GetLoad(*stub, false).code(), absl::StatusCode::kUnavailable);
}

TEST(Channel, ComesBackToAServerThatWasRestartedOnItsPort) {
  ScoreService service;
  auto first = Server::Start({}, {&service});
  ASSERT_TRUE(first.ok()) << first.status();
  const std::string endpoint = (*first)->endpoint();
  auto stub = v1::RewardService::NewStub(OpenChannel(endpoint));
  EXPECT_TRUE(GetLoad(*stub, false).ok());
  first->reset();
  EXPECT_EQ(GetLoad(*stub, false).code(), absl::StatusCode::kUnavailable);
  ScoreService again;
  auto second = Server::Start({.listen = endpoint}, {&again});
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_TRUE(GetLoad(*stub, true).ok());
}

TEST(Channel, ARetryingCallSoonFindsAServerThatCameBack) {
  ScoreService service;
  auto first = Server::Start({}, {&service});
  ASSERT_TRUE(first.ok()) << first.status();
  const std::string endpoint = (*first)->endpoint();
  first->reset();
  auto stub = v1::RewardService::NewStub(OpenChannel(endpoint));
  EXPECT_FALSE(GetLoad(*stub, false).ok());
  ScoreService again;
  auto second = Server::Start({.listen = endpoint}, {&again});
  ASSERT_TRUE(second.ok()) << second.status();
  const absl::Duration begin = Clock::Real().Monotonic();
  const auto answer = Call(*stub, &v1::RewardService::Stub::GetLoad, v1::GetRewardLoadRequest(),
                           {.timeout = absl::Seconds(30),
                            .retries = 1000,
                            .first_backoff = absl::Milliseconds(300),
                            .longest_backoff = absl::Milliseconds(300)});
  EXPECT_TRUE(answer.ok()) << answer.status();
  EXPECT_LT(Clock::Real().Monotonic() - begin, absl::Seconds(3));
}

TEST(Channel, AMessageAboveTheLimitIsRefusedNotTruncated) {
  ScoreService service;
  auto server = Server::Start({}, {&service});
  ASSERT_TRUE(server.ok()) << server.status();
  auto stub = v1::RewardService::NewStub(
      OpenChannel((*server)->endpoint(), {.max_message_bytes = 1024}));
  v1::ScoreRequest request;
  request.set_tokenizer_hash(std::string(4096, 'x'));
  const auto answer = Call(*stub, &v1::RewardService::Stub::Score, request, {});
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace trainyard::rpc
