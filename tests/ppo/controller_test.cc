#include "ppo/controller.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "base/atomic_file.h"
#include "base/status.h"
#include "checkpoint/store.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/ppo/fakes.h"
#include "tests/support/byte_tokenizer.h"

namespace trainyard::ppo {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

// A job of four iterations of 6 prompts with 2 samples, on a learner, rollouts and rewards that
// compute nothing.
class ControllerTest : public ::testing::Test {
 protected:
  ControllerTest() {
    char path[] = "/tmp/trainyard-ppo-XXXXXX";
    root_ = mkdtemp(path);
    std::filesystem::create_directories(root_ + "/tokenizer");
    TY_CHECK(WriteFileAtomically(root_ + "/tokenizer/tokenizer.json", "{}").ok());
    options_.fence = TestFence();
    options_.run_uri = "root://runs/run";
    options_.roots = Roots({{"runs", root_}});
    options_.seed = 11;
    options_.tokenizer_directory = root_ + "/tokenizer";
    options_.iterations = 4;
    options_.prompts_per_iteration = 6;
    options_.samples_per_prompt = 2;
    options_.minibatch = 4;
    options_.checkpoint_every = 2;
    options_.stall_limit = absl::Seconds(20);
    options_.timeouts.ready = absl::Seconds(20);
    assignment_.roots = options_.roots;
    prompts_.fingerprint = "prompts";
    prompts_.train = [](int64_t row) {
      return DrawnPrompt{row, std::make_shared<const std::vector<int32_t>>(3, 65 + row % 9),
                         "text", "reference"};
    };
    NewLearner();
    reward_task_ = std::make_unique<FakeTask>("reward", 0, std::vector<grpc::Service*>{&reward_});
  }
  ~ControllerTest() override { std::filesystem::remove_all(root_); }

  void NewLearner() {
    learner_task_.reset();
    learner_ = std::make_unique<FakeLearner>(root_);
    learner_task_ =
        std::make_unique<FakeTask>("learner", 0, std::vector<grpc::Service*>{learner_.get()});
  }

  struct Rollout {
    std::unique_ptr<FakeRollout> service = std::make_unique<FakeRollout>();
    std::unique_ptr<FakeTask> task;
  };
  Rollout& AddRollout() {
    rollouts_.push_back(std::make_unique<Rollout>());
    Rollout& rollout = *rollouts_.back();
    rollout.task =
        std::make_unique<FakeTask>("rollout", static_cast<int>(rollouts_.size()) - 1,
                                   std::vector<grpc::Service*>{rollout.service.get()});
    return rollout;
  }

  std::vector<task::Peer> Peers(const std::vector<Rollout*>& rollouts) {
    std::vector<task::Peer> peers = {learner_task_->peer(), reward_task_->peer()};
    for (Rollout* rollout : rollouts) peers.push_back(rollout->task->peer());
    return peers;
  }

  absl::Status Run(FakeSession& session) {
    Controller controller(options_, {.assignment = &assignment_,
                                     .session = &session,
                                     .prompts = &prompts_,
                                     .tokenizer = tokenizer_.get(),
                                     .clock = &Clock::Real()});
    return controller.Run();
  }

  // What an undisturbed run ends with.
  std::string Undisturbed() {
    NewLearner();
    FakeSession session;
    Rollout& rollout = AddRollout();
    session.SetPeers(Peers({&rollout}));
    const absl::Status status = Run(session);
    TY_CHECK(status.ok());
    std::filesystem::remove_all(root_ + "/run");
    const std::string weights = learner_->weights();
    NewLearner();
    return weights;
  }

  std::string root_;
  ControllerOptions options_;
  task::Assignment assignment_;
  Prompts prompts_;
  std::shared_ptr<const tokenizer::Tokenizer> tokenizer_ = trainyard::testing::ByteTokenizer();
  FakeReward reward_;
  std::unique_ptr<FakeLearner> learner_;
  std::unique_ptr<FakeTask> learner_task_;
  std::unique_ptr<FakeTask> reward_task_;
  std::vector<std::unique_ptr<Rollout>> rollouts_;
};

TEST_F(ControllerTest, TrainsEveryRowOnceCommitsAndRecordsThePolicy) {
  FakeSession session;
  session.SetPeers(Peers({&AddRollout()}));
  ASSERT_TRUE(Run(session).ok());
  const auto commits = session.commits();
  ASSERT_THAT(commits, SizeIs(2));
  EXPECT_EQ(commits[0].uri, "root://runs/run/e3/step-00000002");
  EXPECT_EQ(commits[1].step, 4);
  const auto manifest =
      checkpoint::ReadManifest({root_ + "/run/e3/step-00000004", commits[1].manifest_sha256});
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  const auto state = ReadSections(*manifest);
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(state->ledger.next_row(), 24);
  EXPECT_THAT(state->ledger.iterations(), SizeIs(4));
  EXPECT_EQ(state->numerics.at("rollout"), "cpu");
  ASSERT_THAT(session.outputs(), SizeIs(1));
  EXPECT_EQ(session.outputs()[0].name, "policy");
  EXPECT_TRUE(std::filesystem::exists(root_ + "/run/e3/policy/tokenizer.json"));
  const auto metrics = session.metrics();
  ASSERT_EQ(metrics.count(4), 1);
  for (const char* name : {"generate_seconds", "update_seconds", "publish_seconds", "beta",
                           "reward_raw/sum", "staleness", "generate_tokens_per_second"}) {
    EXPECT_EQ(metrics.at(4).count(name), 1) << name;
  }
}

TEST_F(ControllerTest, ARewardIsReportedAsSoonAsItIsMeasuredAndNoneBefore) {
  FakeSession session;
  session.SetPeers(Peers({&AddRollout()}));
  ASSERT_TRUE(Run(session).ok());
  const auto metrics = session.metrics();
  int measured = 0;
  for (const task::Progress& report : session.progress()) {
    if (report.phase != "publish") continue;
    const auto reward = metrics.at(report.step).find("reward");
    ASSERT_NE(reward, metrics.at(report.step).end());
    EXPECT_EQ(report.headline_name, "reward");
    EXPECT_EQ(report.headline, reward->second) << report.step;
    ++measured;
  }
  EXPECT_EQ(measured, 4);
  for (const task::Progress& report : session.progress()) {
    if (report.phase == "publish") break;
    EXPECT_EQ(report.headline_name, "") << report.phase;
  }
}

TEST_F(ControllerTest, AdaptersAreASecondOutput) {
  options_.adapter = true;
  options_.iterations = 1;
  FakeSession session;
  session.SetPeers(Peers({&AddRollout()}));
  ASSERT_TRUE(Run(session).ok());
  const auto outputs = session.outputs();
  ASSERT_THAT(outputs, SizeIs(2));
  EXPECT_EQ(outputs[1].name, "adapter");
  EXPECT_EQ(outputs[1].type, "adapter");
  EXPECT_TRUE(std::filesystem::exists(root_ + "/run/e3/adapter/adapter_model.safetensors"));
}

TEST_F(ControllerTest, ARolloutKilledInTheMiddleChangesNoToken) {
  const std::string undisturbed = Undisturbed();
  FakeSession session;
  Rollout& dies = AddRollout();
  Rollout& stays = AddRollout();
  session.SetPeers(Peers({&dies, &stays}));
  session.OnMetrics([&](int64_t step) {
    if (step == 2) dies.task->Kill();
    if (step == 3) session.SetPeers(Peers({&stays}));
  });
  ASSERT_TRUE(Run(session).ok());
  EXPECT_EQ(learner_->weights(), undisturbed);
}

TEST_F(ControllerTest, ScalingFromOneToThreeAndBackChangesNoBit) {
  const std::string undisturbed = Undisturbed();
  FakeSession session;
  Rollout& one = AddRollout();
  Rollout& two = AddRollout();
  Rollout& three = AddRollout();
  session.SetPeers(Peers({&one}));
  session.OnMetrics([&](int64_t step) {
    if (step == 1) session.SetPeers(Peers({&one, &two, &three}));
    if (step == 3) session.SetPeers(Peers({&two}));
  });
  ASSERT_TRUE(Run(session).ok());
  EXPECT_EQ(learner_->weights(), undisturbed);
  EXPECT_FALSE(two.service->answered().empty());
}

TEST_F(ControllerTest, AScorersVerdictDropsASampleAndIsCounted) {
  reward_.fail = [](int64_t row, int) { return row == 7 ? v1::SCORE_REJECTED : v1::SCORE_OK; };
  options_.max_failed_fraction = 0.2;
  FakeSession session;
  session.SetPeers(Peers({&AddRollout()}));
  ASSERT_TRUE(Run(session).ok());
  const auto manifest = checkpoint::ReadManifest({root_ + "/run/e3/step-00000004", ""});
  const auto state = ReadSections(*manifest);
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(state->ledger.CountExcluded("REJECTED"), 2);  // both samples of row 7
}

TEST_F(ControllerTest, ARestartFromACommitEndsWithTheSameWeightsAndLedger) {
  const std::string undisturbed = Undisturbed();
  FakeSession first;
  Rollout& rollout = AddRollout();
  first.SetPeers(Peers({&rollout}));
  // The attempt dies in its fourth iteration: rows of the third were drawn and are drawn again.
  first.OnMetrics([&](int64_t step) {
    if (step == 3) first.RequestStop({.checkpoint = false, .reason = "killed"});
  });
  EXPECT_EQ(Run(first).code(), absl::StatusCode::kCancelled);
  ASSERT_THAT(first.commits(), SizeIs(1));
  const task::CommitRequest commit = first.commits()[0];

  NewLearner();
  learner_->Restore(root_ + "/run/e3/step-00000002", commit.manifest_sha256);
  assignment_.restore = {{.epoch = 3, .step = 2, .uri = commit.uri,
                          .manifest_sha256 = commit.manifest_sha256}};
  options_.run_uri = "root://runs/run/again";
  FakeSession second;
  second.SetPeers(Peers({&AddRollout()}));
  const absl::Status status = Run(second);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(learner_->weights(), undisturbed);
  const auto manifest = checkpoint::ReadManifest({root_ + "/run/again/e3/step-00000004", ""});
  EXPECT_EQ(ReadSections(*manifest)->ledger.next_row(), 24);
}

TEST_F(ControllerTest, ARunIsNotResumedWithOtherPrompts) {
  FakeSession first;
  first.SetPeers(Peers({&AddRollout()}));
  ASSERT_TRUE(Run(first).ok());
  const task::CommitRequest commit = first.commits()[1];
  learner_->Restore(root_ + "/run/e3/step-00000004", commit.manifest_sha256);
  assignment_.restore = {{.uri = commit.uri, .manifest_sha256 = commit.manifest_sha256}};
  prompts_.fingerprint = "other prompts";
  FakeSession second;
  second.SetPeers(Peers({&AddRollout()}));
  EXPECT_THAT(Run(second).message(), HasSubstr("prompt data prompts"));
}

TEST_F(ControllerTest, AnOrderToStopWithACheckpointCommitsFirst) {
  FakeSession session;
  session.SetPeers(Peers({&AddRollout()}));
  session.OnMetrics([&](int64_t step) {
    if (step == 1) session.RequestStop({.checkpoint = true, .reason = "pause"});
  });
  EXPECT_EQ(Run(session).code(), absl::StatusCode::kCancelled);
  ASSERT_THAT(session.commits(), SizeIs(1));
  EXPECT_EQ(session.commits()[0].step, 1);
}

TEST_F(ControllerTest, ATaskOfOtherNumericsGetsNoWork) {
  FakeSession session;
  Rollout& normal = AddRollout();
  Rollout& odd = AddRollout();
  odd.task->SetNumerics("gpu");
  session.SetPeers(Peers({&normal, &odd}));
  ASSERT_TRUE(Run(session).ok());
  EXPECT_TRUE(odd.service->answered().empty());
}

TEST_F(ControllerTest, EveryNthIterationIsMeasuredOnTheValidationPromptsAndTrainsOnNoneOfThem) {
  const std::string undisturbed = Undisturbed();
  options_.eval_every = 2;
  for (int row = 0; row < 3; ++row) {
    prompts_.validation.push_back(
        {row, std::make_shared<const std::vector<int32_t>>(2, 70 + row), "validation", ""});
  }
  FakeSession session;
  session.SetPeers(Peers({&AddRollout()}));
  ASSERT_TRUE(Run(session).ok());
  const auto metrics = session.metrics();
  for (const int64_t iteration : {1, 3}) {
    EXPECT_EQ(metrics.at(iteration).count("eval_reward"), 0) << iteration;
  }
  for (const int64_t iteration : {2, 4}) {
    ASSERT_EQ(metrics.at(iteration).count("eval_reward"), 1) << iteration;
    EXPECT_GT(metrics.at(iteration).at("eval_reward"), 0);
    // Answers of 3 to 7 tokens, each 0.5 nearer to the policy than to the reference.
    EXPECT_GE(metrics.at(iteration).at("eval_kl"), 1.5);
    EXPECT_LE(metrics.at(iteration).at("eval_kl"), 3.5);
  }
  EXPECT_TRUE(session.WaitForPhase("eval", absl::ZeroDuration()));
  EXPECT_EQ(learner_->weights(), undisturbed) << "the ledger knows nothing of validation";
}

TEST_F(ControllerTest, TheSameValidationPromptIsAnsweredWithTheSameRandomNumbersEveryTime) {
  options_.eval_every = 1;
  options_.iterations = 2;
  prompts_.validation = {
      {0, std::make_shared<const std::vector<int32_t>>(2, 70), "validation", ""}};
  FakeSession session;
  Rollout& rollout = AddRollout();
  session.SetPeers(Peers({&rollout}));
  ASSERT_TRUE(Run(session).ok());
  int validations = 0;
  for (const auto& [row, sample] : rollout.service->answered()) {
    if (row < options_.iterations * options_.prompts_per_iteration) continue;
    ++validations;
    EXPECT_EQ(sample, 0);
  }
  EXPECT_EQ(validations, 1) << "one row of its own, which no training row can reach";
}

TEST_F(ControllerTest, AValidationWithoutAScoreReportsNoneAndNotZero) {
  options_.eval_every = 1;
  options_.iterations = 1;
  options_.max_failed_fraction = 1;
  prompts_.validation = {
      {0, std::make_shared<const std::vector<int32_t>>(2, 70), "validation", ""}};
  reward_.fail = [&](int64_t row, int) {
    return row < options_.prompts_per_iteration ? v1::SCORE_OK : v1::SCORE_REJECTED;
  };
  FakeSession session;
  session.SetPeers(Peers({&AddRollout()}));
  ASSERT_TRUE(Run(session).ok());
  EXPECT_EQ(session.metrics().at(1).count("eval_reward"), 0);
  EXPECT_EQ(session.metrics().at(1).count("eval_kl"), 1);
}

TEST_F(ControllerTest, BetaFollowsTheKlAndIsPartOfTheState) {
  options_.beta = 0.1;
  options_.adaptive_beta = rl::AdaptiveBetaOptions{.target = 4, .horizon = 120};
  FakeSession session;
  session.SetPeers(Peers({&AddRollout()}));
  ASSERT_TRUE(Run(session).ok());
  // kl / target - 1 = 1, clipped to 0.2; 12 samples of 120.
  EXPECT_NEAR(session.metrics().at(2).at("beta"), 0.1 * 1.02, 1e-12);
  const auto manifest = checkpoint::ReadManifest({root_ + "/run/e3/step-00000004", ""});
  EXPECT_NEAR(ReadSections(*manifest)->beta, 0.1 * std::pow(1.02, 4), 1e-12);
}

}  // namespace
}  // namespace trainyard::ppo
