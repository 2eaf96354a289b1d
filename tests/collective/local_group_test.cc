#include "collective/local_group.h"

#include <ATen/Parallel.h>

#include "tests/collective/group_cases.h"

namespace trainyard::collective {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(30);

TEST(LocalGroup, ComputesOnAnyNumberOfRanks) {
  for (int world : {1, 2, 5}) OnEveryRank(LocalGroups(world, kPatience), ExpectGroupComputes);
}

TEST(LocalGroup, StartedCallsOverlap) {
  OnEveryRank(LocalGroups(3, kPatience), ExpectStartedCallsOverlap);
}

TEST(LocalGroup, OneRankNeedsNobody) {
  const std::unique_ptr<Group> group = SingleRankGroup();
  ExpectGroupComputes(*group);
  ExpectStartedCallsOverlap(*group);
  group->Abort("stop");
  EXPECT_TRUE(absl::IsCancelled(group->Barrier()));
}

TEST(LocalGroup, NamesTheRankThatDoesNotCome) {
  const auto groups = LocalGroups(3, absl::Milliseconds(50));
  std::vector<absl::Status> ends(2);
  OnEveryRank(groups, [&](Group& group) {
    if (group.rank() != 2) ends[group.rank()] = group.Barrier();
  });
  for (const absl::Status& end : ends) {
    EXPECT_TRUE(absl::IsDeadlineExceeded(end)) << end;
    EXPECT_NE(end.message().find("rank 2 of 3"), std::string::npos) << end;
  }
}

TEST(LocalGroup, AbortEndsTheWaitOfAPeer) {
  const auto groups = LocalGroups(2, kPatience);
  absl::Status end;
  OnEveryRank(groups, [&](Group& group) {
    if (group.rank() == 0) {
      end = group.Barrier();
    } else {
      group.Abort("disk full");
    }
  });
  EXPECT_TRUE(absl::IsCancelled(end));
  EXPECT_EQ(end.message(), "disk full");
}

}  // namespace
}  // namespace trainyard::collective
