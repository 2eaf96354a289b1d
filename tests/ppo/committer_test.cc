#include "ppo/committer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "base/atomic_file.h"
#include "base/json.h"
#include "checkpoint/store.h"
#include "tests/ppo/fakes.h"
#include "tests/support/process.h"

namespace trainyard::ppo {
namespace {

// Two learner ranks that stand at iteration 0.
class CommitterTest : public ::testing::Test {
 protected:
  CommitterTest() {
    options_.fence = TestFence();
    options_.run_uri = "root://runs/run";
    options_.roots = Roots({{"runs", dir_.path()}});
    options_.tokenizer_directory = dir_.File("tokenizer");
    options_.keep_checkpoints = 5;
    std::vector<task::Peer> peers;
    for (int rank = 0; rank < 2; ++rank) {
      services_.push_back(std::make_unique<FakeLearner>(dir_.path(), rank, 2));
      services_[rank]->before = [this, rank](const std::string& method, grpc::ServerContext*) {
        if (method == "Save") ++saves_;
        return method == "Save" && rank == failing_rank_
                   ? grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "no space")
                   : grpc::Status::OK;
      };
      tasks_.push_back(std::make_unique<FakeTask>(
          "learner", rank, std::vector<grpc::Service*>{services_[rank].get()}));
      peers.push_back(tasks_.back()->peer());
    }
    learners_ = std::make_unique<Learners>(peers, options_);
    state_.numerics["learner"] = "cpu";
    state_.tokenizer_hash = "tokenizer";
  }
  std::string Directory(const std::string& path) const { return dir_.File("run/e3/" + path); }
  bool HasManifest(const std::string& path) const {
    return std::filesystem::exists(Directory(path) + "/manifest.json");
  }

  const trainyard::testing::TempDir dir_;
  ControllerOptions options_;
  std::atomic<int> failing_rank_{-1};
  std::atomic<int> saves_{0};
  std::vector<std::unique_ptr<FakeLearner>> services_;
  std::vector<std::unique_ptr<FakeTask>> tasks_;
  std::unique_ptr<Learners> learners_;
  FakeSession session_;
  RunState state_;
};

TEST_F(CommitterTest, TheCoordinatorIsAskedOnceAllRanksHaveWrittenAndTheManifestStands) {
  session_.OnCommit([&](const task::CommitRequest& request) -> absl::StatusOr<task::CommitResult> {
    const auto manifest =
        checkpoint::ReadManifest({Directory("step-00000000"), request.manifest_sha256});
    EXPECT_TRUE(manifest.ok()) << manifest.status();
    EXPECT_EQ(manifest->files.size(), 2) << "a share of each rank";
    EXPECT_TRUE(checkpoint::VerifyFiles(Directory("step-00000000"), *manifest).ok());
    EXPECT_EQ(manifest->kind, "ppo");
    EXPECT_EQ(manifest->numerics_id, "cpu");
    EXPECT_EQ(manifest->sections["learner"], (Json{{"iteration", 0}}));
    return task::CommitResult{};
  });
  Committer committer(options_, learners_.get(), &session_);
  EXPECT_TRUE(committer.Commit(state_).ok());
  EXPECT_TRUE(committer.Flush().ok());
  ASSERT_EQ(session_.commits().size(), 1);
  EXPECT_EQ(session_.commits()[0].uri, "root://runs/run/e3/step-00000000");
  EXPECT_EQ(session_.commits()[0].keep, 5);
}

TEST_F(CommitterTest, ARankThatCouldNotWriteIsNamedAndNobodyIsAskedToCommit) {
  failing_rank_ = 1;
  Committer committer(options_, learners_.get(), &session_);
  const absl::Status status = committer.Commit(state_);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_NE(status.message().find("learner/1: no space"), std::string::npos) << status;
  EXPECT_FALSE(HasManifest("step-00000000"));
  EXPECT_TRUE(committer.Flush().ok());
  EXPECT_TRUE(session_.commits().empty());
}

TEST_F(CommitterTest, TheNextCommitWaitsForTheOneBeforeAndHasItsError) {
  session_.OnCommit([](const task::CommitRequest&) -> absl::StatusOr<task::CommitResult> {
    return absl::DeadlineExceededError("the coordinator is away");
  });
  Committer committer(options_, learners_.get(), &session_);
  EXPECT_TRUE(committer.Commit(state_).ok()) << "training goes on meanwhile";
  const absl::Status status = committer.Commit(state_);
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_NE(status.message().find("the commit before: the coordinator is away"),
            std::string::npos) << status;
  EXPECT_EQ(saves_, 2) << "each rank once, for the first";
  EXPECT_TRUE(committer.Flush().ok()) << "an error is said once";
}

TEST_F(CommitterTest, ThePendingCommitEndsBeforeTheCommitter) {
  bool asked = false;
  session_.OnCommit([&](const task::CommitRequest&) -> absl::StatusOr<task::CommitResult> {
    asked = true;
    return task::CommitResult{};
  });
  {
    Committer committer(options_, learners_.get(), &session_);
    EXPECT_TRUE(committer.Commit(state_).ok());
  }
  EXPECT_TRUE(asked);
}

TEST_F(CommitterTest, WhatIsGivenUpIsRemovedAndWhatIsNotThereHarmsNobody) {
  for (const char* step : {"step-00000007", "step-00000008"}) {
    ASSERT_TRUE(MakeDirectories(Directory(step)).ok());
    ASSERT_TRUE(checkpoint::CommitManifest(Directory(step), {.kind = "ppo"}).ok());
  }
  session_.OnCommit([](const task::CommitRequest&) -> absl::StatusOr<task::CommitResult> {
    return task::CommitResult{.prune = {"root://nowhere/run", "root://runs/run/e3/step-00000009",
                                        "root://runs/run/e3/step-00000007"}};
  });
  Committer committer(options_, learners_.get(), &session_);
  EXPECT_TRUE(committer.Commit(state_).ok());
  EXPECT_TRUE(committer.Flush().ok());
  EXPECT_FALSE(std::filesystem::exists(Directory("step-00000007")));
  EXPECT_TRUE(HasManifest("step-00000008"));
}

TEST_F(CommitterTest, TheFinalPolicyIsAnArtifactWithItsTokenizer) {
  ASSERT_TRUE(MakeDirectories(dir_.File("tokenizer")).ok());
  ASSERT_TRUE(WriteFileAtomically(dir_.File("tokenizer/tokenizer.json"), "{}").ok());
  options_.chat_template = {{"begin", ""},
                            {"roles", {{"assistant", {{"prefix", "A:"}, {"suffix", "<end>"}}}}},
                            {"end_of_turn", "<end>"}};
  Committer committer(options_, learners_.get(), &session_);
  const auto policy = committer.ExportPolicy(state_, PolicyForm::kModel);
  ASSERT_TRUE(policy.ok()) << policy.status();
  EXPECT_EQ(policy->uri, "root://runs/run/e3/policy");
  const auto manifest =
      checkpoint::ReadManifest({Directory("policy"), policy->manifest_sha256});
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_TRUE(checkpoint::VerifyFiles(Directory("policy"), *manifest).ok());
  EXPECT_EQ(manifest->kind, "model");
  EXPECT_EQ(manifest->sections["chat_template"], options_.chat_template);
  ASSERT_EQ(manifest->files.size(), 3);
  EXPECT_EQ(manifest->files[0].path, "model.safetensors");
  EXPECT_EQ(manifest->files[1].path, "tokenizer.json");
  EXPECT_EQ(manifest->files[2].path, "tokenizer_config.json");
  int64_t size_bytes = 0;
  for (const auto& file : manifest->files) size_bytes += static_cast<int64_t>(file.size_bytes);
  EXPECT_EQ(policy->size_bytes, size_bytes);
  const auto config = ReadJsonFile(Directory("policy") + "/tokenizer_config.json");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(config->value("chat_template", ""), ::testing::HasSubstr("\"A:\""));
}

TEST_F(CommitterTest, AnAdapterIsAnArtifactBesideThePolicy) {
  ASSERT_TRUE(MakeDirectories(dir_.File("tokenizer")).ok());
  Committer committer(options_, learners_.get(), &session_);
  const auto adapter = committer.ExportPolicy(state_, PolicyForm::kAdapter);
  ASSERT_TRUE(adapter.ok()) << adapter.status();
  EXPECT_EQ(adapter->uri, "root://runs/run/e3/adapter");
  const auto manifest =
      checkpoint::ReadManifest({Directory("adapter"), adapter->manifest_sha256});
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->kind, "adapter");
  EXPECT_EQ(manifest->files.at(0).path, "adapter_model.safetensors");
}

// The checkpoint that the learners say they restored.
class RestoreRunStateTest : public CommitterTest {
 protected:
  RestoreRunStateTest() {
    state_.version = 4;
    state_.beta = 0.125;
    Committer committer(options_, learners_.get(), &session_);
    EXPECT_TRUE(committer.Commit(state_).ok());
    EXPECT_TRUE(committer.Flush().ok());
    const task::CommitRequest commit = session_.commits().at(0);
    digest_ = commit.manifest_sha256;
    assignment_.roots = options_.roots;
    assignment_.restore = {{.uri = "root://runs/run/e3/step-00000099",
                            .manifest_sha256 = std::string(64, '0')},
                           {.uri = commit.uri, .manifest_sha256 = digest_}};
  }
  task::Assignment assignment_;
  std::string digest_;
};

TEST_F(RestoreRunStateTest, IsTheStateThatWasCommittedUnderThisDigest) {
  const auto restored = RestoreRunState(assignment_, digest_);
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(restored->version, 4);
  EXPECT_EQ(restored->beta, 0.125);
  EXPECT_EQ(restored->tokenizer_hash, "tokenizer");
}

TEST_F(RestoreRunStateTest, ACheckpointThatTheAssignmentDoesNotAllowIsNotFound) {
  assignment_.restore.pop_back();
  const absl::Status status = RestoreRunState(assignment_, digest_).status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_NE(status.message().find(digest_), std::string::npos) << status;
}

TEST_F(RestoreRunStateTest, AManifestThatWasChangedIsDataLoss) {
  const std::string path = Directory("step-00000000") + "/manifest.json";
  ASSERT_TRUE(WriteFileAtomically(path, *ReadFile(path) + " ").ok());
  const absl::Status status = RestoreRunState(assignment_, digest_).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
}

}  // namespace
}  // namespace trainyard::ppo
