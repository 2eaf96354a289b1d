#include "collective/presence.h"

#include <gtest/gtest.h>

#include "base/clock.h"

namespace trainyard::collective {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

struct Ranks {
  std::unique_ptr<Store> host = *Store::Host("127.0.0.1", "j/1", kPatience);
  std::unique_ptr<Presence> Enter(int rank, int world_size) {
    return std::make_unique<Presence>(*Store::Connect(host->endpoint(), "j/1", kPatience), rank,
                                      world_size);
  }
};

TEST(Presence, ARankThatStopsToBeatIsGone) {
  Ranks ranks;
  const auto first = ranks.Enter(0, 3);
  const auto second = ranks.Enter(1, 3);
  const absl::Status end = first->Diagnose("connection closed");
  EXPECT_TRUE(absl::IsUnavailable(end)) << end;
  EXPECT_EQ(end.message(), "rank 2 of 3 is gone: connection closed");
}

TEST(Presence, ALivingRankThatDoesNotComeIsLateAndNotGone) {
  Ranks ranks;
  const auto first = ranks.Enter(0, 2);
  const auto second = ranks.Enter(1, 2);
  second->CountCall();
  first->CountCall();
  first->CountCall();
  const absl::Status end = first->Diagnose("no end within 1s");
  EXPECT_TRUE(absl::IsDeadlineExceeded(end)) << end;
  EXPECT_NE(end.message().find("rank 1 has made 1"), std::string::npos) << end;
}

TEST(Presence, TheFirstAnnouncementReachesTheOthersAndStays) {
  Ranks ranks;
  const auto first = ranks.Enter(0, 3);
  const auto second = ranks.Enter(1, 3);
  const auto third = ranks.Enter(2, 3);
  second->Announce("disk full");
  first->Announce("rank 1 is gone");
  const absl::Status end = third->Diagnose("connection closed");
  EXPECT_EQ(end.message(), "rank 1: disk full");
  EXPECT_EQ(third->PeerFailure(), end);
}

TEST(Presence, WithoutTheStoreRankZeroIsGone) {
  Ranks ranks;
  const auto second = ranks.Enter(1, 2);
  ranks.host.reset();
  const absl::Status end = second->Diagnose("connection closed");
  EXPECT_TRUE(absl::IsUnavailable(end)) << end;
  EXPECT_EQ(end.message().find("rank 0"), 0) << end;
}

}  // namespace
}  // namespace trainyard::collective
