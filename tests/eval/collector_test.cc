#include "eval/collector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "eval/prompts.h"
#include "tests/eval/fake_cluster.h"

namespace trainyard::eval {
namespace {

using ::testing::HasSubstr;

class CollectorTest : public EvalTest {
 protected:
  CollectorTest()
      : text_(*LoadModelText(directory_ + "/model", directory_ + "/model")),
        prepared_(*PreparePrompts(Prompts(2), text_)) {
    options_.tokenizer = text_.tokenizer.get();
    options_.sampling = prepared_.sampling;
    options_.stall = absl::Seconds(20);
  }
  std::unique_ptr<AnswerLog> Log(uint64_t epoch) {
    return *AnswerLog::Open({directory_ + "/runs/job", epoch, "answers", "id"});
  }
  absl::Status Run(AnswerLog* log) {
    return Collector(&session_, kTestFence, options_).Run(prepared_.prompts, log, [](const auto&) {
    });
  }

  const ModelText text_;
  const PreparedPrompts prepared_;
  CollectorOptions options_;
};

TEST_F(CollectorTest, EveryPromptGetsAllItsAnswers) {
  FakeRollout rollout(*tokenizer_, "fine");
  Serve("rollout", 0, &rollout);
  const auto log = Log(1);
  ASSERT_TRUE(Run(log.get()).ok());
  ASSERT_EQ(log->rows().size(), 10);
  EXPECT_EQ(log->rows().at(4).answers[0].text, " fine fine");
  EXPECT_EQ(log->rows().at(4).answers[1].text, " fine fine fine");
}

TEST_F(CollectorTest, WhatADeadTaskLeftIsDrawnByAnother) {
  FakeRollout dying(*tokenizer_, "fine"), living(*tokenizer_, "fine");
  dying.answers_left = 7;
  Serve("rollout", 0, &dying);
  Serve("rollout", 1, &living);
  const auto log = Log(1);
  ASSERT_TRUE(Run(log.get()).ok());
  EXPECT_EQ(log->rows().size(), 10);
}

TEST_F(CollectorTest, AnErrorThatNoOtherTryWouldHelpEndsTheRun) {
  FakeRollout rollout(*tokenizer_, "fine");
  rollout.answers_left = 3;
  rollout.failure = grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "row 3 is too long");
  Serve("rollout", 0, &rollout);
  const auto log = Log(1);
  EXPECT_THAT(std::string(Run(log.get()).message()), HasSubstr("row 3 is too long"));
  EXPECT_EQ(log->rows().size(), 1);  // what was finished is kept
}

TEST_F(CollectorTest, ARestartedRunDrawsOnlyWhatIsMissing) {
  FakeRollout rollout(*tokenizer_, "fine");
  rollout.answers_left = 9;
  rollout.failure = grpc::Status(grpc::StatusCode::INTERNAL, "crash");
  Serve("rollout", 0, &rollout);
  ASSERT_FALSE(Run(Log(1).get()).ok());
  rollout.answers_left = -1;
  rollout.answers_given = 0;
  const auto log = Log(2);
  EXPECT_EQ(log->rows().size(), 4);
  ASSERT_TRUE(Run(log.get()).ok());
  EXPECT_EQ(rollout.answers_given, 2 * 6);
  EXPECT_EQ(log->rows().size(), 10);
}

TEST_F(CollectorTest, NothingWaitsForEver) {
  options_.stall = absl::Milliseconds(300);
  const absl::Status status = Run(Log(1).get());
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(status.message()), HasSubstr("0 rollout tasks are ready"));
}

TEST_F(CollectorTest, AnAnswerMayTakeLongerThanTheStallLimitWhileTokensAreDrawn) {
  FakeRollout rollout(*tokenizer_, "fine");
  rollout.looks_before_answers = 30;
  Serve("rollout", 0, &rollout);
  options_.stall = absl::Milliseconds(400);
  const auto log = Log(1);
  const absl::Status status = Run(log.get());
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(log->rows().size(), 10);
}

TEST_F(CollectorTest, ATaskWhoseRateStandsStillIsStalled) {
  FakeRollout rollout(*tokenizer_, "fine");
  rollout.looks_before_answers = 1000;
  rollout.rate_changes = false;
  Serve("rollout", 0, &rollout);
  options_.stall = absl::Milliseconds(400);
  EXPECT_EQ(Run(Log(1).get()).code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(CollectorTest, SaysWhenItWaitsForARolloutTask) {
  FakeRollout rollout(*tokenizer_, "fine");
  bool waited = false;
  const auto log = Log(1);
  const absl::Status status =
      Collector(&session_, kTestFence, options_)
          .Run(prepared_.prompts, log.get(), [&](const Collector::Progress& progress) {
            if (!progress.waiting || waited) return;
            waited = true;
            Serve("rollout", 0, &rollout);
          });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(waited);
}

TEST_F(CollectorTest, RowsAreScoredBeforeTheyAreKept) {
  FakeRollout rollout(*tokenizer_, "fine");
  FakeReward reward;
  reward.refused_rows = {6};
  Serve("rollout", 0, &rollout);
  Serve("reward", 0, &reward);
  options_.scored = true;
  const auto log = Log(1);
  ASSERT_TRUE(Run(log.get()).ok());
  EXPECT_EQ(log->rows().at(0).answers[0].score, 6);  // " fine" and the end
  EXPECT_EQ(log->rows().at(6).answers[0].score, std::nullopt);
  EXPECT_THAT(log->rows().at(6).answers[0].score_error, HasSubstr("refused by the test"));
}

}  // namespace
}  // namespace trainyard::eval
