#include "rpc/call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace trainyard::rpc {
namespace {

using ::testing::HasSubstr;

const grpc::Status kAway(grpc::StatusCode::UNAVAILABLE, "connection refused");

CallOptions FastRetries(int retries) {
  return {.timeout = absl::Seconds(30),
          .retries = retries,
          .first_backoff = absl::Milliseconds(1),
          .longest_backoff = absl::Milliseconds(2)};
}

TEST(Call, DoesNotTryAgainUnlessAsked) {
  int tries = 0;
  const absl::Status status = CallWithRetries({}, [&](grpc::ClientContext*) {
    ++tries;
    return kAway;
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(tries, 1);
}

TEST(Call, TriesAgainOnUnavailableUntilItSucceeds) {
  int tries = 0;
  const absl::Status status = CallWithRetries(FastRetries(5), [&](grpc::ClientContext*) {
    return ++tries < 3 ? kAway : grpc::Status::OK;
  });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(tries, 3);
}

TEST(Call, StopsWhenTheBudgetIsSpentAndSaysSo) {
  int tries = 0;
  const absl::Status status = CallWithRetries(FastRetries(4), [&](grpc::ClientContext*) {
    ++tries;
    return kAway;
  });
  EXPECT_EQ(tries, 5);
  EXPECT_THAT(std::string(status.message()), HasSubstr("gave up after 5 tries"));
}

TEST(Call, AnErrorThatARetryCannotHealEndsIt) {
  int tries = 0;
  const absl::Status status = CallWithRetries(FastRetries(5), [&](grpc::ClientContext*) {
    ++tries;
    return grpc::Status(grpc::StatusCode::ABORTED, "stale");
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(tries, 1);
}

TEST(Call, GivingUpEndsTheWaitBetweenTries) {
  absl::Notification give_up;
  CallOptions options = FastRetries(5);
  options.first_backoff = options.longest_backoff = absl::Seconds(20);
  options.give_up = &give_up;
  int tries = 0;
  std::thread quitter;
  const absl::Status status = CallWithRetries(options, [&](grpc::ClientContext*) {
    if (++tries == 1) quitter = std::thread([&] { give_up.Notify(); });
    return kAway;
  });
  quitter.join();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(tries, 1);
}

TEST(Call, EveryContextHasADeadline) {
  grpc::ClientContext context;
  PrepareContext({.timeout = absl::Seconds(5)}, &context);
  const absl::Time deadline = absl::FromChrono(context.deadline());
  EXPECT_LE(deadline, absl::Now() + absl::Seconds(5));
  EXPECT_GT(deadline, absl::Now());
}

}  // namespace
}  // namespace trainyard::rpc
