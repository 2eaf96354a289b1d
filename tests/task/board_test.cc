#include "task/board.h"

#include <gtest/gtest.h>

#include <thread>

namespace trainyard::task {
namespace {

TEST(Board, APredicateThatHoldsAlreadyDoesNotWait) {
  Board board;
  board.SetPeers({1, {{.task_uid = 1, .role = "rollout", .ready = true}}});
  const auto any = [](const PeerSnapshot& peers) { return !peers.Ready("rollout").empty(); };
  EXPECT_TRUE(board.WaitForPeers(any, absl::ZeroDuration()).ok());
}

TEST(Board, AWaiterWakesOnAChange) {
  Board board;
  std::thread writer([&] {
    board.SetPeers({1, {}});
    board.SetPeers({2, {{.task_uid = 1, .role = "rollout", .ready = true}}});
  });
  const auto any = [](const PeerSnapshot& peers) { return !peers.Ready("rollout").empty(); };
  const auto peers = board.WaitForPeers(any, absl::Seconds(20));
  writer.join();
  ASSERT_TRUE(peers.ok()) << peers.status();
  EXPECT_EQ(peers->revision, 2);
}

TEST(Board, TheSameRevisionAfterARestartStillWakesAWaiter) {
  Board board;
  board.SetPeers({1, {}});
  std::thread writer([&] { board.SetPeers({1, {{.task_uid = 1, .role = "reward"}}}); });
  const auto one = [](const PeerSnapshot& peers) { return peers.peers.size() == 1; };
  EXPECT_TRUE(board.WaitForPeers(one, absl::Seconds(20)).ok());
  writer.join();
}

TEST(Board, ADrainingOrUnreadyPeerIsNotReady) {
  const PeerSnapshot peers{1,
                           {{.role = "rollout", .index = 1, .ready = true},
                            {.role = "rollout", .index = 0, .ready = true},
                            {.role = "rollout", .index = 2, .ready = false},
                            {.role = "rollout", .index = 3, .ready = true, .draining = true},
                            {.role = "reward", .index = 0, .ready = true}}};
  const std::vector<Peer> ready = peers.Ready("rollout");
  ASSERT_EQ(ready.size(), 2);
  EXPECT_EQ(ready[0].index, 0);
}

TEST(Board, StopAndEndAreKept) {
  Board board;
  EXPECT_FALSE(board.WaitForStop(absl::ZeroDuration()).has_value());
  board.SetStop({.reason = "first"});
  board.SetStop({.reason = "second"});
  EXPECT_EQ(board.WaitForStop(absl::ZeroDuration())->reason, "first");
  EXPECT_EQ(board.WaitForEnd(absl::ZeroDuration()).code(), absl::StatusCode::kDeadlineExceeded);
  board.SetEnded(absl::OkStatus());
  EXPECT_TRUE(board.WaitForEnd(absl::ZeroDuration()).ok());
}

}  // namespace
}  // namespace trainyard::task
