#include "collective/rendezvous.h"

#include <future>

#include "tests/collective/group_cases.h"

namespace trainyard::collective {
namespace {

// Ranks of this process that publish through a promise, as the task sessions do in earnest.
class Meeting {
 public:
  explicit Meeting(int world_size) : groups_(world_size) {}

  RendezvousOptions Options(int rank) {
    RendezvousOptions options;
    options.job = "job";
    options.epoch = 3;
    options.rank = rank;
    options.world_size = static_cast<int>(groups_.size());
    options.host = "127.0.0.1";
    options.join_timeout = absl::Seconds(20);
    options.call_timeout = absl::Seconds(20);
    options.publish = [this](const std::string& endpoint) {
      endpoint_.set_value(endpoint);
      return absl::OkStatus();
    };
    options.await_endpoint = [this](absl::Duration) -> absl::StatusOr<std::string> {
      return known_.get();
    };
    return options;
  }

  const std::vector<std::unique_ptr<Group>>& Join() {
    std::vector<std::thread> threads;
    for (size_t rank = 0; rank < groups_.size(); ++rank) {
      threads.emplace_back([this, rank] {
        auto group = JoinGroup(Options(static_cast<int>(rank)));
        EXPECT_TRUE(group.ok()) << group.status();
        if (group.ok()) groups_[rank] = *std::move(group);
      });
    }
    for (std::thread& thread : threads) thread.join();
    return groups_;
  }

 private:
  std::promise<std::string> endpoint_;
  std::shared_future<std::string> known_ = endpoint_.get_future().share();
  std::vector<std::unique_ptr<Group>> groups_;
};

TEST(Rendezvous, GlooRanksComputeTogether) {
  for (int world : {2, 3}) {
    Meeting meeting(world);
    const auto& groups = meeting.Join();
    ASSERT_NE(groups[0], nullptr);
    OnEveryRank(groups, [](Group& group) {
      ExpectGroupComputes(group);
      ExpectStartedCallsOverlap(group);
    });
  }
}

TEST(Rendezvous, SumsHaveTheSameBitsOnAllRanksAndInEveryRun) {
  at::Tensor first;
  for (int run = 0; run < 2; ++run) {
    Meeting meeting(3);
    std::vector<at::Tensor> sums(3);
    OnEveryRank(meeting.Join(), [&](Group& group) {
      sums[group.rank()] = UnevenValues(group.rank());
      EXPECT_TRUE(group.AllReduce(sums[group.rank()]).ok());
    });
    EXPECT_TRUE(at::equal(sums[0], sums[1]) && at::equal(sums[0], sums[2]));
    if (first.defined()) {
      EXPECT_TRUE(at::equal(first, sums[0]));
    }
    first = sums[0];
  }
}

TEST(Rendezvous, AWorldOfOneNeedsNoNetwork) {
  RendezvousOptions options;
  const auto group = JoinGroup(options);
  ASSERT_TRUE(group.ok());
  ExpectGroupComputes(**group);
}

TEST(Rendezvous, NamesTheRankThatDidNotCome) {
  Meeting meeting(2);
  RendezvousOptions options = meeting.Options(0);
  options.join_timeout = absl::Milliseconds(100);
  const auto group = JoinGroup(options);
  EXPECT_TRUE(absl::IsDeadlineExceeded(group.status())) << group.status();
  EXPECT_NE(group.status().message().find("rank 1 of 2 did not come"), std::string::npos)
      << group.status();
}

TEST(Rendezvous, ARankOutsideOfTheWorldIsRefused) {
  RendezvousOptions options;
  options.rank = 2;
  options.world_size = 2;
  EXPECT_TRUE(absl::IsInvalidArgument(JoinGroup(options).status()));
}

}  // namespace
}  // namespace trainyard::collective
