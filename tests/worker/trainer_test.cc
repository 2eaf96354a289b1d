// When the loop validates, saves, reports and stops. What a run comes to is train_run_test's.

#include "worker/trainer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "checkpoint/store.h"
#include "collective/local_group.h"
#include "tests/worker/training_world.h"

namespace trainyard::worker {
namespace {

using Steps = std::vector<int64_t>;

class TrainerTest : public ::testing::Test {
 protected:
  TrainerTest() {
    job_.loop = {.total_steps = 10, .eval_every = 4, .checkpoint_every = absl::InfiniteDuration()};
    job_.keep_checkpoints = 100;
  }
  RunEnd Run(int64_t stop_after_step = -1) {
    RunEnd end = world_.Run(job_, {1, 1, stop_after_step, "run"});
    EXPECT_TRUE(end.outcomes[0].ok()) << end.outcomes[0].status();
    return end;
  }
  // The steps whose metrics have `name`.
  static Steps StepsWith(const RunEnd& end, const std::string& name) {
    Steps steps;
    for (const auto& [step, values] : end.metrics) {
      if (values.count(name) > 0) steps.push_back(step);
    }
    return steps;
  }
  Steps SavedSteps() {
    Steps steps;
    const auto directories = checkpoint::ListCheckpoints(world_.RunDirectory("run"));
    for (const std::string& directory : *directories) {
      steps.insert(steps.begin(), checkpoint::ReadManifest({directory, ""})->step);
    }
    return steps;
  }

  TrainingWorld world_;
  TrainJob job_ = world_.Job(TrainKind::kSft, checkpoint::DType::kF32);
};

TEST_F(TrainerTest, ValidatesBeforeTheFirstStepEveryNthAndAtTheEnd) {
  EXPECT_EQ(StepsWith(Run(), "eval_loss"), (Steps{0, 4, 8, 10}));
}

TEST_F(TrainerTest, WithoutAPeriodItValidatesAtTheEndOnly) {
  job_.loop.eval_every = 0;
  EXPECT_EQ(StepsWith(Run(), "eval_loss"), Steps{10});
}

TEST_F(TrainerTest, WithoutHeldOutRowsItReportsNoValidation) {
  job_.validation.sources.clear();
  EXPECT_EQ(StepsWith(Run(), "eval_loss"), Steps());
}

TEST_F(TrainerTest, TheBestValidationIsPartOfTheState) {
  job_.optimizer.schedule.peak = 3e-2;
  const RunEnd end = Run();
  double best = 1e30;
  int64_t best_step = -1;
  for (const int64_t step : {0, 4, 8, 10}) {
    const double loss = end.metrics.at(step).at("eval_loss");
    if (loss < best) best_step = step;
    best = std::min(best, loss);
  }
  const auto directory = checkpoint::StepDirectory(world_.RunDirectory("run"), 1, 10);
  const auto state = TrainStateOf(*checkpoint::ReadManifest({directory, ""}));
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(state->best, best);
  EXPECT_EQ(state->best_step, best_step);
}

TEST_F(TrainerTest, TheLastStepIsSavedOnceAlsoWithoutAnyPeriod) {
  Run();
  EXPECT_EQ(SavedSteps(), Steps{10});
}

TEST_F(TrainerTest, ACheckpointIsDueByTheClockOfRankZero) {
  job_.loop.checkpoint_every = absl::ZeroDuration();
  Run();
  const Steps saved = SavedSteps();
  ASSERT_GE(saved.size(), 2);
  EXPECT_EQ(saved.front(), 1) << "due at once";
  EXPECT_EQ(saved.back(), 10);
}

TEST_F(TrainerTest, MetricsComeEveryNthStepAndWithTheLast) {
  job_.loop.log_every = 4;
  const RunEnd end = Run();
  EXPECT_EQ(StepsWith(end, "loss"), (Steps{4, 8, 10}));
  Schedule schedule = job_.optimizer.schedule;
  schedule.total_steps = 10;
  schedule.warmup_steps = 2;
  EXPECT_DOUBLE_EQ(end.metrics.at(8).at("learning_rate"), schedule.LearningRate(7));
  for (const char* name : {"grad_norm", "tokens_per_second", "tokens", "step_seconds",
                           "forward_seconds", "optimizer_seconds", "skipped_updates"}) {
    EXPECT_EQ(end.metrics.at(8).count(name), 1) << name;
  }
}

TEST_F(TrainerTest, AStopWithACheckpointSavesTheStepItCameTo) {
  const RunEnd end = Run(/*stop_after_step=*/5);
  EXPECT_EQ(*end.outcomes[0], TrainOutcome::kStopped);
  const Steps saved = SavedSteps();
  ASSERT_EQ(saved.size(), 1);
  EXPECT_EQ(saved[0], end.metrics.rbegin()->first);
  EXPECT_LT(saved[0], 10);
}

TEST_F(TrainerTest, AStopWithoutACheckpointSavesNothing) {
  RecordingSession session;
  session.RequestStop({.checkpoint = false, .reason = "cancelled"});
  const auto group = collective::SingleRankGroup();
  const auto outcome = world_.RunRank(job_, {}, group.get(), &session);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(*outcome, TrainOutcome::kStopped);
  EXPECT_EQ(SavedSteps(), Steps());
  EXPECT_TRUE(session.outputs().empty());
}

TEST_F(TrainerTest, AnOrderThatReachesOneRankStopsAllAfterTheSameStep) {
  const RunEnd end = world_.Run(job_, {3, 1, 5, "run"});  // told: the last rank alone
  for (const auto& outcome : end.outcomes) {
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    EXPECT_EQ(*outcome, TrainOutcome::kStopped);
  }
  const Steps saved = SavedSteps();
  ASSERT_EQ(saved.size(), 1);
  const auto directory = checkpoint::StepDirectory(world_.RunDirectory("run"), 1, saved[0]);
  EXPECT_EQ(checkpoint::ReadManifest({directory, ""})->files.size(), 3) << "a share of each rank";
}

TEST_F(TrainerTest, PhasesSayWhatItIsDoing) {
  RecordingSession session;
  const auto group = collective::SingleRankGroup();
  const auto outcome = world_.RunRank(job_, {}, group.get(), &session);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  const std::vector<std::string> phases = session.phases();
  const auto begin = std::find(phases.begin(), phases.end(), "eval");
  ASSERT_GE(phases.end() - begin, 8);
  EXPECT_EQ(std::vector<std::string>(begin, begin + 8),
            (std::vector<std::string>{"eval", "train", "eval", "train", "eval", "train", "eval",
                                      "train"}));
  EXPECT_NE(std::find(begin, phases.end(), "checkpoint"), phases.end());
}

}  // namespace
}  // namespace trainyard::worker
