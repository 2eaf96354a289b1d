#include "ppo/learners.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "base/atomic_file.h"
#include "base/cause.h"
#include "rpc/status.h"
#include "tests/ppo/fakes.h"
#include "tests/support/process.h"

namespace trainyard::ppo {
namespace {

class LearnersTest : public ::testing::Test {
 protected:
  LearnersTest() {
    options_.fence = TestFence();
    options_.timeouts.call = absl::Seconds(20);
    EXPECT_TRUE(MakeDirectories(dir_.File("step")).ok());
    for (int rank = 0; rank < 3; ++rank) {
      services_.push_back(std::make_unique<FakeLearner>(dir_.path(), rank, 3));
    }
  }
  FakeLearner& rank(int index) { return *services_[index]; }
  // Every rank must be as the test wants it by now.
  Learners Connect() {
    std::vector<task::Peer> peers;
    for (size_t rank = 0; rank < services_.size(); ++rank) {
      tasks_.push_back(std::make_unique<FakeTask>(
          "learner", static_cast<int>(rank), std::vector<grpc::Service*>{services_[rank].get()}));
      peers.push_back(tasks_.back()->peer());
    }
    return Learners(peers, options_);
  }
  static Update UpdateOf(int64_t iteration, int64_t samples = 2, int64_t prompt_tokens = 3) {
    Update update{.iteration = iteration, .base_version = iteration};
    for (int64_t row = 0; row < samples; ++row) {
      rl::Trajectory trajectory;
      trajectory.row = row;
      trajectory.token_ids.assign(prompt_tokens + 2, 70);
      trajectory.spans = {{0, prompt_tokens, rl::SpanSource::kPrompt, false, 0},
                          {prompt_tokens, prompt_tokens + 2, rl::SpanSource::kModel, true,
                           iteration}};
      trajectory.log_probs = trajectory.log_kept_mass = {0, 0};
      update.trajectories.push_back(trajectory);
    }
    update.plan.passes = {{{.trained_tokens = 2 * samples, .shares = {{0}, {1}, {}}}}};
    return update;
  }
  // A hook that fails `method`.
  static std::function<grpc::Status(const std::string&, grpc::ServerContext*)> Fails(
      const std::string& method, const absl::Status& status) {
    return [=](const std::string& called, grpc::ServerContext* context) {
      return called == method ? rpc::ToGrpc(status, context) : grpc::Status::OK;
    };
  }
  static bool Says(const absl::Status& status, absl::string_view text) {
    return status.message().find(std::string(text)) != std::string::npos;
  }

  const trainyard::testing::TempDir dir_;
  ControllerOptions options_;
  absl::Notification over_;  // services may wait for it: outlives them
  std::vector<std::unique_ptr<FakeLearner>> services_;
  std::vector<std::unique_ptr<FakeTask>> tasks_;
};

TEST_F(LearnersTest, TheSpecIsWhatAllRanksSay) {
  Learners learners = Connect();
  const auto spec = learners.GetSpec();
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->tokenizer_hash, "tokenizer");
  EXPECT_EQ(spec->numerics_id, "cpu");
  EXPECT_EQ(spec->restored_manifest_sha256, "");
}

TEST_F(LearnersTest, RanksOfOtherNumericsDisagreeByName) {
  rank(2).numerics_id = "cuda";
  Learners learners = Connect();
  EXPECT_EQ(learners.GetSpec().status(),
            absl::InternalError("learner ranks disagree about numerics: cpu and cuda"));
}

TEST_F(LearnersTest, APeerThatIsAnotherRankThanItsPlaceIsNamed) {
  std::swap(services_[1], services_[2]);
  Learners learners = Connect();
  EXPECT_EQ(learners.GetSpec().status(), absl::InternalError("learner/1 says it is rank 2 of 3"));
}

TEST_F(LearnersTest, TheFirstRankThatFailsIsNamed) {
  rank(1).before = Fails("Save", absl::ResourceExhaustedError("the disk is full"));
  rank(2).before = Fails("Save", absl::InternalError("something else"));
  Learners learners = Connect();
  const absl::Status status = learners.Save(0, "root://runs/step").status();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_TRUE(Says(status, "learner/1: the disk is full")) << status;
}

TEST_F(LearnersTest, ARankThatDoesNotAnswerEndsTheCallAtItsDeadlineAndIsNamed) {
  rank(2).before = [this](const std::string& method, grpc::ServerContext*) {
    if (method == "Save") over_.WaitForNotificationWithTimeout(absl::Seconds(60));
    return grpc::Status::OK;
  };
  options_.timeouts.save = absl::Milliseconds(300);
  Learners learners = Connect();
  const absl::Status status = learners.Save(0, "root://runs/step").status();
  over_.Notify();
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_TRUE(Says(status, "learner/2")) << status;
}

TEST_F(LearnersTest, EveryRankWritesItsShareOfACheckpoint) {
  Learners learners = Connect();
  const auto saved = learners.Save(0, "root://runs/step");
  ASSERT_TRUE(saved.ok()) << saved.status();
  ASSERT_EQ(saved->files.size(), 3);
  for (int rank = 0; rank < 3; ++rank) {
    EXPECT_EQ(saved->files[rank].path, absl::StrCat("learner-", rank, "-of-3.safetensors"));
  }
  EXPECT_EQ(saved->state, (Json{{"iteration", 0}}));
}

TEST_F(LearnersTest, AnUpdateGoesToEveryRankAndRankZeroTellsOfIt) {
  Learners learners = Connect();
  std::vector<std::pair<int, int>> progress;
  const auto result = learners.Run(
      UpdateOf(0), [&](int pass, int minibatch) { progress.emplace_back(pass, minibatch); });
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->version, 1);
  EXPECT_EQ(result->metrics.at("trained_samples"), 2);
  EXPECT_EQ(result->weights_digest, rank(2).weights());
  EXPECT_EQ(progress, (std::vector<std::pair<int, int>>{{0, 0}}));
}

TEST_F(LearnersTest, AnUpdateWhoseAnswerWasLostIsNotDoneTwice) {
  rank(1).break_updates = 2;
  Learners learners = Connect();
  const auto result = learners.Run(UpdateOf(0), nullptr);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(rank(1).weights(), rank(0).weights());
  EXPECT_TRUE(learners.Run(UpdateOf(1), nullptr).ok());
}

TEST_F(LearnersTest, AConnectionThatStaysBrokenEndsTheUpdate) {
  rank(1).before = Fails("Update", absl::UnavailableError("it is away"));
  Learners learners = Connect();
  const absl::Status status = learners.Run(UpdateOf(0), nullptr).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_TRUE(Says(status, "learner/1")) << status;
}

TEST_F(LearnersTest, RanksWhoseWeightsDifferAreAnError) {
  rank(2).SetWeights("drifted");
  Learners learners = Connect();
  const absl::Status status = learners.Run(UpdateOf(0), nullptr).status();
  EXPECT_TRUE(absl::IsInternal(status)) << status;
  EXPECT_TRUE(Says(status, "disagree about the policy's weights")) << status;
}

TEST_F(LearnersTest, ANumberThatIsNotFiniteThereIsTheCauseHere) {
  rank(1).before = Fails("Update", rpc::WithDetail(absl::DataLossError("the loss is nan"),
                                                   {.reason = "NOT_FINITE"}));
  Learners learners = Connect();
  EXPECT_EQ(CauseOf(learners.Run(UpdateOf(0), nullptr).status()), EndClass::kNan);
}

TEST_F(LearnersTest, OtherLossesThereHaveNoSuchCause) {
  rank(1).before = Fails("Update", absl::DataLossError("the answers are torn"));
  Learners learners = Connect();
  const absl::Status status = learners.Run(UpdateOf(0), nullptr).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_EQ(CauseOf(status), EndClass::kUnspecified) << "the job may be tried again";
}

TEST_F(LearnersTest, ALargeUpdateIsSentInPieces) {
  Learners learners = Connect();
  const auto result = learners.Run(UpdateOf(0, /*samples=*/60, /*prompt_tokens=*/90'000), nullptr);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_GT(rank(0).largest_request_bytes(), 500'000);
  EXPECT_LT(rank(0).largest_request_bytes(), 1'100'000) << "gRPC refuses 4 MiB";
}

TEST_F(LearnersTest, ScoresAreOfTheTrainedTokensOfEachAnswer) {
  Learners learners = Connect();
  const auto scores = learners.Score(v1::REFERENCE, UpdateOf(0, 3).trajectories);
  ASSERT_TRUE(scores.ok()) << scores.status();
  EXPECT_EQ(*scores, std::vector<std::vector<float>>(3, {-1.5, -1.5}));
}

}  // namespace
}  // namespace trainyard::ppo
