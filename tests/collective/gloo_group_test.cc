// Death of a rank, with real processes: the parent is rank 0, children are the others.

#include "collective/gloo_group.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/shutdown.h"
#include "collective/rendezvous.h"

namespace trainyard::collective {
namespace {

RendezvousOptions Options(int rank, int world_size) {
  RendezvousOptions options;
  options.job = "job";
  options.rank = rank;
  options.world_size = world_size;
  options.host = "127.0.0.1";
  options.join_timeout = absl::Seconds(30);
  options.call_timeout = absl::Seconds(30);
  return options;
}

// A child that joins as `rank`, with the endpoint read from a pipe, then runs `body` and exits with
// its result. Forked before this process has threads.
class Child {
 public:
  Child(int rank, int world_size, int (*body)(Group&)) {
    EXPECT_EQ(pipe(pipe_), 0);
    pid_ = fork();
    if (pid_ != 0) return;
    RendezvousOptions options = Options(rank, world_size);
    options.await_endpoint = [this](absl::Duration) -> absl::StatusOr<std::string> {
      char buffer[128] = {};
      const ssize_t size = read(pipe_[0], buffer, sizeof buffer);
      return std::string(buffer, size > 0 ? static_cast<size_t>(size) : 0);
    };
    auto group = JoinGroup(options);
    _exit(group.ok() ? body(**group) : 90);
  }
  ~Child() {
    kill(pid_, SIGKILL);
    int state = 0;
    waitpid(pid_, &state, 0);
    close(pipe_[0]);
    close(pipe_[1]);
  }

  void Tell(const std::string& endpoint) {
    EXPECT_EQ(write(pipe_[1], endpoint.data(), endpoint.size()),
              static_cast<ssize_t>(endpoint.size()));
  }

 private:
  int pipe_[2];
  pid_t pid_ = -1;
};

int DieAfterOneCall(Group& group) {
  if (!group.Barrier().ok()) return 1;
  raise(SIGKILL);
  return 2;
}

int SumUntilItFails(Group& group) {
  while (group.AllReduce(at::ones({100000})).ok()) {
  }
  return 0;
}

absl::Status RunAsRankZero(const std::vector<Child*>& children) {
  RendezvousOptions options = Options(0, static_cast<int>(children.size()) + 1);
  options.publish = [&](const std::string& endpoint) {
    for (Child* child : children) child->Tell(endpoint);
    return absl::OkStatus();
  };
  auto group = JoinGroup(options);
  if (!group.ok()) return group.status();
  absl::Status end = (*group)->Barrier();
  while (end.ok()) end = (*group)->AllReduce(at::ones({100000}));
  const absl::Status again = (*group)->Barrier();
  EXPECT_EQ(again, end) << "a broken group gives its first error for ever";
  return end;
}

class GlooGroup : public ::testing::Test {
 protected:
  // As every program of ours does; the children inherit it.
  void SetUp() override { BlockStopSignals(); }
};

TEST_F(GlooGroup, ADeadPeerIsNamedFast) {
  Child peer(1, 2, DieAfterOneCall);
  const absl::Duration begin = Clock::Real().Monotonic();
  const absl::Status end = RunAsRankZero({&peer});
  EXPECT_TRUE(absl::IsUnavailable(end)) << end;
  EXPECT_NE(end.message().find("rank 1 of 2 is gone"), std::string::npos) << end;
  EXPECT_LT(Clock::Real().Monotonic() - begin, absl::Seconds(20));
}

int FirstBarrierThenSums(Group& group) {
  return group.Barrier().ok() ? SumUntilItFails(group) : 1;
}

TEST_F(GlooGroup, ADeadPeerAmongThreeIsTheOneThatIsNamed) {
  Child survivor(1, 3, FirstBarrierThenSums);
  Child victim(2, 3, DieAfterOneCall);
  const absl::Status end = RunAsRankZero({&survivor, &victim});
  EXPECT_TRUE(absl::IsUnavailable(end)) << end;
  EXPECT_NE(end.message().find("rank 2 of 3 is gone"), std::string::npos) << end;
}

}  // namespace
}  // namespace trainyard::collective
