#include "collective/c10d_group.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <thread>

namespace trainyard::collective {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

GroupOptions Options(int rank) { return {rank, 2, "127.0.0.1", kPatience, kPatience}; }

// Two Gloo ranks in this process.
struct Pair {
  Pair() {
    auto host = *Store::Host("127.0.0.1", "j/1", kPatience);
    auto guest = *Store::Connect(host->endpoint(), "j/1", kPatience);
    std::thread other([&] { second = *MakeGlooGroup(std::move(guest), Options(1)); });
    first = *MakeGlooGroup(std::move(host), Options(0));
    other.join();
  }
  std::unique_ptr<Group> first, second;
};

TEST(C10dGroup, AbortReachesAPeerThatWaits) {
  Pair pair;
  auto waiting = pair.first->StartAllReduce(at::ones({4}));
  pair.second->Abort("no space left on /runs");
  const absl::Status end = waiting->Wait();
  EXPECT_TRUE(absl::IsUnavailable(end)) << end;
  EXPECT_EQ(end.message(), "rank 1: no space left on /runs");
  EXPECT_TRUE(absl::IsCancelled(pair.second->Barrier()));
}

TEST(C10dGroup, RefusesATensorThatIsNotContiguous) {
  Pair pair;
  const absl::Status end = pair.first->AllReduce(at::ones({4, 4}).t().narrow(0, 0, 2));
  EXPECT_TRUE(absl::IsInvalidArgument(end)) << end;
}

TEST(C10dGroup, WaitingForAllRanksNamesTheMissing) {
  auto host = *Store::Host("127.0.0.1", "j/1", kPatience);
  GroupOptions options = Options(0);
  options.world_size = 4;
  options.join_timeout = absl::Milliseconds(50);
  ASSERT_TRUE(host->Set("here/2", "x").ok());
  const absl::Status end = AwaitAllRanks(*host, options);
  EXPECT_TRUE(absl::IsDeadlineExceeded(end)) << end;
  EXPECT_NE(end.message().find("rank 1, 3 of 4"), std::string::npos) << end;
}

}  // namespace
}  // namespace trainyard::collective
