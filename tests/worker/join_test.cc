// Ranks that find each other through their sessions and train over Gloo.

#include "worker/join.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/status.h"
#include "tests/worker/training_world.h"

namespace trainyard::worker {
namespace {

// What a coordinator tells the tasks of one job about each other.
class Board {
 public:
  void Put(const task::Peer& peer) {
    absl::MutexLock lock(&mutex_);
    ++snapshot_.revision;
    snapshot_.peers.push_back(peer);
  }
  absl::StatusOr<task::PeerSnapshot> Wait(
      const std::function<bool(const task::PeerSnapshot&)>& predicate, absl::Duration timeout) {
    absl::MutexLock lock(&mutex_);
    const auto holds = [&]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return predicate(snapshot_); };
    if (mutex_.AwaitWithTimeout(absl::Condition(&holds), timeout)) return snapshot_;
    return absl::DeadlineExceededError("nobody came");
  }

 private:
  absl::Mutex mutex_;
  task::PeerSnapshot snapshot_ ABSL_GUARDED_BY(mutex_);
};

class BoardSession : public RecordingSession {
 public:
  BoardSession(Board* board, int index) : board_(board), index_(index) {}
  void Ready(const std::string& endpoint, const std::string& numerics_id) override {
    task::Peer peer;
    peer.role = "trainer";
    peer.index = index_;
    peer.endpoint = endpoint;
    peer.ready = true;
    peer.numerics_id = numerics_id;
    board_->Put(peer);
  }
  absl::StatusOr<task::PeerSnapshot> WaitForPeers(
      const std::function<bool(const task::PeerSnapshot&)>& predicate,
      absl::Duration timeout) override {
    return board_->Wait(predicate, timeout);
  }

 private:
  Board* const board_;
  const int index_;
};

task::Assignment AssignmentOf(int index, int count) {
  task::Assignment assignment;
  assignment.job_id = "job";
  assignment.epoch = 1;
  assignment.role = "trainer";
  assignment.index = index;
  assignment.role_count = count;
  return assignment;
}

TEST(Join, RanksOverGlooTrainLikeOneRank) {
  TrainingWorld world;
  const TrainJob job = world.Job(TrainKind::kPretrain, checkpoint::DType::kF64);
  const RunEnd one = world.Run(job, {1, 1, -1, "one"});
  ASSERT_TRUE(one.finished()) << one.outcomes[0].status();
  constexpr int kRanks = 3;
  Board board;
  std::vector<std::unique_ptr<BoardSession>> sessions;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < kRanks; ++rank) {
    sessions.push_back(std::make_unique<BoardSession>(&board, rank));
    threads.emplace_back([&, rank, session = sessions.back().get()] {
      auto group = JoinRanks(AssignmentOf(rank, kRanks), "numerics", session);
      ASSERT_TRUE(group.ok()) << group.status();
      const auto outcome = world.RunRank(job, {kRanks, 1, -1, "gloo"}, group->get(), session);
      EXPECT_TRUE(outcome.ok()) << outcome.status();
    });
  }
  for (std::thread& thread : threads) thread.join();
  RunEnd many;
  many.directory = world.RunDirectory("gloo") + "/e1/model";
  EXPECT_LE(Distance(one, many), 1e-9);
  EXPECT_NEAR(sessions[0]->metrics().at(12).at("loss"), one.loss(12), 1e-9);
}

TEST(Join, ARankThatComputesOtherwiseIsRefused) {
  Board board;
  task::Peer rank_zero;
  rank_zero.role = "trainer";
  rank_zero.endpoint = std::string(kRendezvousScheme) + "127.0.0.1:1";
  rank_zero.numerics_id = "cpu/AVX2";
  board.Put(rank_zero);
  BoardSession session(&board, 1);
  const absl::Status status = JoinRanks(AssignmentOf(1, 2), "cpu/AVX512", &session).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_NE(status.message().find("rank 1 computes as cpu/AVX512"), std::string::npos) << status;
}

}  // namespace
}  // namespace trainyard::worker
