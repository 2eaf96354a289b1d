#include "ppo/collection.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "absl/synchronization/notification.h"
#include "tests/ppo/fakes.h"
#include "tests/support/byte_tokenizer.h"

namespace trainyard::ppo {
namespace {

constexpr int64_t kPrompts = 6;
constexpr int64_t kSamples = 2;

struct Rollout {
  FakeRollout service;
  FakeTask task{"rollout", 0, {&service}};
};

// 6 prompts with 2 answers each, on rollouts and a scorer that compute nothing.
class CollectionTest : public ::testing::Test {
 protected:
  CollectionTest() {
    options_.fence = TestFence();
    options_.seed = 11;
    options_.iterations = 4;
    options_.stall_limit = absl::Seconds(20);
    v1::WeightsManifest manifest;
    manifest.set_version(5);
    publication_.Publish(manifest);
    session_.SetPeers({reward_task_.peer()});
  }
  void Serve(const std::vector<const Rollout*>& rollouts) {
    std::vector<task::Peer> peers = {reward_task_.peer()};
    for (const Rollout* rollout : rollouts) peers.push_back(rollout->task.peer());
    session_.SetPeers(std::move(peers));
  }
  absl::StatusOr<CollectionReport> Collect() {
    std::vector<DrawnPrompt> prompts;
    for (int64_t row = 0; row < kPrompts; ++row) {
      prompts.push_back({row, std::make_shared<const std::vector<int32_t>>(3, 65 + row), "text",
                         "reference"});
    }
    Collection collection({.options = &options_,
                           .session = &session_,
                           .publication = &publication_,
                           .tokenizer = tokenizer_.get(),
                           .admit = admit_,
                           .clock = &Clock::Real()},
                          std::move(prompts), kSamples);
    return collection.Run(1);
  }
  // What comes out when nothing goes wrong.
  std::string Undisturbed() {
    Rollout calm;
    Serve({&calm});
    const auto report = Collect();
    EXPECT_TRUE(report.ok()) << report.status();
    return rl::DigestTrajectories(report->trajectories);
  }
  static bool Says(const absl::Status& status, const std::string& text) {
    return status.message().find(text) != std::string::npos;
  }

  ControllerOptions options_;
  absl::Notification over_;  // the scorer may wait for it: outlives it
  FakeReward reward_;
  FakeTask reward_task_{"reward", 0, {&reward_}};
  FakeSession session_;
  std::function<bool(const task::Peer&)> admit_ = [](const task::Peer&) { return true; };
  Publication publication_{options_, [this](const task::Peer& peer) { return admit_(peer); }};
  const std::shared_ptr<const tokenizer::Tokenizer> tokenizer_ =
      trainyard::testing::ByteTokenizer();
};

TEST_F(CollectionTest, EverySampleOfEveryRowComesScoredInCanonicalOrder) {
  Rollout rollout;
  Serve({&rollout});
  const auto report = Collect();
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(report->trajectories.size(), kPrompts * kSamples);
  for (int64_t i = 0; i < kPrompts * kSamples; ++i) {
    const rl::Trajectory& trajectory = report->trajectories[i];
    EXPECT_EQ(trajectory.row, i / kSamples);
    EXPECT_EQ(trajectory.sample, i % kSamples);
    EXPECT_EQ(trajectory.status, rl::ScoreStatus::kOk);
    double sum = 0;
    for (const int32_t id : trajectory.token_ids) sum += id;
    EXPECT_EQ(trajectory.scores.at(0).raw, sum) << "the score of these very tokens";
  }
  EXPECT_EQ(report->metrics.at("answers/rollout/0"), kPrompts * kSamples);
  EXPECT_EQ(report->metrics.at("answers_retried"), 0);
  EXPECT_GT(report->metrics.at("generate_tokens_per_second"), 0);
}

TEST_F(CollectionTest, HalfACharacterReachesTheScorerAsValidText) {
  Rollout rollout;
  Serve({&rollout});
  ASSERT_TRUE(Collect().ok());
  ASSERT_EQ(reward_.answers().size(), kPrompts * kSamples);
  for (const std::string& answer : reward_.answers()) {
    EXPECT_EQ(answer.substr(0, 3), "\xEF\xBF\xBD");  // U+FFFD
  }
}

TEST_F(CollectionTest, ARolloutThatBreaksChangesNoToken) {
  const std::string undisturbed = Undisturbed();
  Rollout breaks, stays;
  breaks.service.breaks = true;
  breaks.service.answers_until_failure = 3;
  // Alone until it breaks: the other one cannot be quicker.
  breaks.service.on_break = [&] { Serve({&breaks, &stays}); };
  Serve({&breaks});
  const auto report = Collect();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(rl::DigestTrajectories(report->trajectories), undisturbed);
  EXPECT_GT(report->metrics.at("answers_retried"), 0);
  EXPECT_FALSE(stays.service.answered().empty());
}

TEST_F(CollectionTest, ARolloutThatDidNotAcknowledgeIsStaleAndGetsNoPrompts) {
  Rollout stale, current;
  stale.service.refuse_weights = true;
  Serve({&stale, &current});
  ASSERT_TRUE(Collect().ok());
  EXPECT_TRUE(stale.service.answered().empty());
  EXPECT_EQ(current.service.answered().size(), kPrompts * kSamples);
}

TEST_F(CollectionTest, ARolloutThatCameBackWithOtherWeightsIsLoadedAndUsedAgain) {
  Rollout rollout;
  Serve({&rollout});
  publication_.Reconcile(session_.Peers());
  ASSERT_EQ(publication_.WaitForAcknowledgements(1, absl::Seconds(20)), 1);
  rollout.service.SetVersion(0);  // and nobody was told
  const auto report = Collect();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_GE(rollout.service.loads().size(), 2);  // each of its streams may find it stale
  EXPECT_EQ(rollout.service.version(), 5);
}

TEST_F(CollectionTest, ATaskThatMayNotWorkGetsNoPrompts) {
  Rollout odd, normal;
  admit_ = [&](const task::Peer& peer) { return peer.task_uid != odd.task.peer().task_uid; };
  Serve({&odd, &normal});
  ASSERT_TRUE(Collect().ok());
  EXPECT_TRUE(odd.service.answered().empty());
}

TEST_F(CollectionTest, ScaledToZeroItWaitsAndIsNotStalled) {
  options_.stall_limit = absl::Milliseconds(200);
  Rollout late;
  std::thread joins([&] {
    EXPECT_TRUE(session_.WaitForPhase("waiting_rollout", absl::Seconds(20)));
    Serve({&late});
  });
  const auto report = Collect();
  EXPECT_TRUE(report.ok()) << report.status();
  joins.join();
}

TEST_F(CollectionTest, AFailedScoreIsAskedForAgainAndNeverDropped) {
  const std::string undisturbed = Undisturbed();
  reward_.fail = [](int64_t row, int attempt) {
    return row % 3 == 0 && attempt % 4 < 2 ? v1::SCORE_TIMEOUT : v1::SCORE_OK;
  };
  Rollout rollout;
  Serve({&rollout});
  const auto report = Collect();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(rl::DigestTrajectories(report->trajectories), undisturbed);
  EXPECT_GT(report->metrics.at("scores_failed/TIMEOUT"), 0);
}

TEST_F(CollectionTest, AScorersVerdictIsFinal) {
  options_.max_failed_fraction = 0.2;
  std::atomic<int> asked{0};
  reward_.fail = [&](int64_t row, int) {
    if (row != 4) return v1::SCORE_OK;
    ++asked;
    return v1::SCORE_REJECTED;
  };
  Rollout rollout;
  Serve({&rollout});
  const auto report = Collect();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(asked, kSamples) << "each answer once";
  EXPECT_EQ(report->metrics.at("scores_failed/REJECTED"), kSamples);
  for (const rl::Trajectory& trajectory : report->trajectories) {
    EXPECT_EQ(trajectory.status,
              trajectory.row == 4 ? rl::ScoreStatus::kRejected : rl::ScoreStatus::kOk);
  }
}

TEST_F(CollectionTest, TooManyVerdictsStopTheJob) {
  reward_.fail = [](int64_t row, int) { return row < 3 ? v1::SCORE_REJECTED : v1::SCORE_OK; };
  Rollout rollout;
  Serve({&rollout});
  const absl::Status status = Collect().status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_TRUE(Says(status, "6 of 12 answers were refused")) << status;
}

TEST_F(CollectionTest, AStallNamesWhatItWaitsFor) {
  reward_.fail = [](int64_t, int) { return v1::SCORE_MODEL_ERROR; };
  options_.stall_limit = absl::Seconds(1);
  Rollout rollout;
  Serve({&rollout});
  const absl::Status status = Collect().status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_TRUE(Says(status, "12 of 12 answers generated")) << status;
  EXPECT_TRUE(Says(status, "MODEL_ERROR")) << status;
}

TEST_F(CollectionTest, AStallNamesTheTasksThatWereAskedAndDidNotAnswer) {
  reward_.fail = [this](int64_t, int) {
    over_.WaitForNotificationWithTimeout(absl::Seconds(20));
    return v1::SCORE_OK;
  };
  options_.stall_limit = absl::Milliseconds(300);
  Rollout rollout;
  Serve({&rollout});
  const absl::Status status = Collect().status();
  over_.Notify();
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_TRUE(Says(status, "asked without an answer yet: reward/0")) << status;
}

TEST_F(CollectionTest, AnOrderToStopEndsItWithItsReason) {
  session_.RequestStop({.reason = "the user's wish"});
  const absl::Status status = Collect().status();
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
  EXPECT_TRUE(Says(status, "the user's wish")) << status;
}

}  // namespace
}  // namespace trainyard::ppo
