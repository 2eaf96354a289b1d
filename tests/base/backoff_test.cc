#include "base/backoff.h"

#include <gtest/gtest.h>

namespace trainyard {
namespace {

TEST(Backoff, DoublesUpToItsLimitWithJitter) {
  Backoff backoff(absl::Milliseconds(100), absl::Seconds(2), 1);
  absl::Duration limit = absl::Milliseconds(100);
  for (int i = 0; i < 100; ++i) {
    const absl::Duration delay = backoff.Next();
    EXPECT_GE(delay, limit / 2);
    EXPECT_LE(delay, limit);
    limit = std::min(absl::Seconds(2), 2 * limit);
  }
}

TEST(Backoff, BeginsAgainAfterASuccess) {
  Backoff backoff(absl::Milliseconds(100), absl::Seconds(2), 1);
  for (int i = 0; i < 5; ++i) backoff.Next();
  backoff.Reset();
  EXPECT_LE(backoff.Next(), absl::Milliseconds(100));
}

TEST(Backoff, TwoKeysDoNotMarchInStep) {
  Backoff a(absl::Seconds(1), absl::Seconds(1), 1);
  Backoff b(absl::Seconds(1), absl::Seconds(1), 2);
  EXPECT_NE(a.Next(), b.Next());
}

}  // namespace
}  // namespace trainyard
