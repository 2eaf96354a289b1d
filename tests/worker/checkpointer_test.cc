#include "worker/checkpointer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "checkpoint/store.h"
#include "collective/local_group.h"
#include "tests/worker/training_world.h"

namespace trainyard::worker {
namespace {

// A coordinator that answers what it is told to, and keeps what it was asked.
class CommitSession : public RecordingSession {
 public:
  absl::StatusOr<task::CommitResult> CommitCheckpoint(const task::CommitRequest& request,
                                                      absl::Duration) override {
    requests.push_back(request);
    if (!answer.ok()) return answer;
    return task::CommitResult{1, prune};
  }
  std::vector<task::CommitRequest> requests;
  std::vector<std::string> prune;
  absl::Status answer;
};

class CheckpointerTest : public ::testing::Test {
 protected:
  CheckpointerOptions Options() {
    CheckpointerOptions options;
    options.run_uri = "root://runs/job";
    options.run_directory = dir_.File("job");
    options.roots = Roots({{"runs", dir_.path()}});
    options.epoch = 2;
    options.numerics_id = "here";
    return options;
  }

  // Lets `world_size` ranks write one checkpoint of `step` as a training loop does.
  void Write(int64_t step, int world_size, std::optional<double> metric = std::nullopt) {
    const auto groups = collective::LocalGroups(world_size, absl::Seconds(60));
    std::vector<std::thread> threads;
    statuses_.assign(world_size, absl::OkStatus());
    for (int rank = 0; rank < world_size; ++rank) {
      threads.emplace_back([&, rank] {
        const NamedTensors state = {{"a", at::full({100}, static_cast<double>(step))},
                                    {"b", at::full({300}, 2.0)}};
        Checkpointer checkpointer(Options(), state, groups[rank].get(), &session_);
        statuses_[rank] = Loop(checkpointer, *groups[rank], {step, {{"x", 1}}, metric});
        if (!statuses_[rank].ok()) groups[rank]->Abort(statuses_[rank].message());
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  static absl::Status Loop(Checkpointer& checkpointer, collective::Group& group,
                           const CheckpointContent& content) {
    TY_RETURN_IF_ERROR(checkpointer.Begin(content));
    EXPECT_TRUE(checkpointer.busy());
    while (checkpointer.busy()) {
      TY_ASSIGN_OR_RETURN(const Checkpointer::Signals own, checkpointer.Look());
      at::Tensor sums = at::empty({2}, at::kDouble);
      sums[0] = own[0];
      sums[1] = own[1];
      TY_RETURN_IF_ERROR(group.AllReduce(sums));
      TY_RETURN_IF_ERROR(
          checkpointer.Advance({sums[0].item<double>(), sums[1].item<double>()}));
    }
    EXPECT_EQ(checkpointer.committed_step(), content.step);
    return absl::OkStatus();
  }

  testing::TempDir dir_;
  CommitSession session_;
  std::vector<absl::Status> statuses_;
};

TEST_F(CheckpointerTest, RanksWriteTheirSharesAndRankZeroCommitsThemAsOne) {
  Write(40, 2, 3.25);
  for (const absl::Status& status : statuses_) ASSERT_TRUE(status.ok()) << status;
  ASSERT_EQ(session_.requests.size(), 1);
  const task::CommitRequest& request = session_.requests[0];
  EXPECT_EQ(request.uri, "root://runs/job/e2/step-00000040");
  EXPECT_EQ(request.step, 40);
  EXPECT_EQ(request.metric, 3.25);
  const std::string directory = dir_.File("job/e2/step-00000040");
  const auto manifest = checkpoint::ReadManifest({directory, request.manifest_sha256});
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->files.size(), 2);
  EXPECT_EQ(manifest->sections["x"], 1);
  EXPECT_TRUE(checkpoint::VerifyFiles(directory, *manifest).ok());
}

TEST_F(CheckpointerTest, OnlyWhatTheCommitNamesIsRemoved) {
  Write(1, 1);
  Write(2, 1);
  Write(3, 1);
  session_.prune = {"root://runs/job/e2/step-00000002"};
  Write(4, 1);
  ASSERT_TRUE(statuses_[0].ok()) << statuses_[0];
  EXPECT_TRUE(std::filesystem::exists(dir_.File("job/e2/step-00000001/manifest.json")));
  EXPECT_FALSE(std::filesystem::exists(dir_.File("job/e2/step-00000002/manifest.json")));
  EXPECT_TRUE(std::filesystem::exists(dir_.File("job/e2/step-00000003/manifest.json")));
}

TEST_F(CheckpointerTest, AStaleEpochEndsAllRanks) {
  session_.answer = absl::AbortedError("epoch 2 is over");
  Write(5, 2);
  EXPECT_TRUE(absl::IsAborted(statuses_[0])) << statuses_[0];
  EXPECT_FALSE(statuses_[1].ok());
}

TEST_F(CheckpointerTest, NothingCommittedIsOverwritten) {
  Write(7, 1);
  ASSERT_TRUE(statuses_[0].ok());
  Write(7, 1);
  EXPECT_TRUE(absl::IsAlreadyExists(statuses_[0])) << statuses_[0];
}

}  // namespace
}  // namespace trainyard::worker
