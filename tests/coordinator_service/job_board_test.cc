#include "coordinator/job_board.h"

#include <gtest/gtest.h>

namespace trainyard::coordinator {
namespace {

std::shared_ptr<const JobShape> ShapeWith(const std::vector<std::string>& roles) {
  auto shape = std::make_shared<JobShape>();
  for (const std::string& name : roles) shape->roles.push_back({.name = name});
  return shape;
}

JobRecord JobOf(JobState state, int attempt, std::vector<std::string> roles = {"trainer"}) {
  JobRecord job;
  job.id = "a";
  job.state = state;
  job.attempt = attempt;
  job.shape = ShapeWith(roles);
  return job;
}

TaskRecord TaskOf(uint64_t uid, const std::string& role, int index, int attempt = 1) {
  TaskRecord task;
  task.task_uid = uid;
  task.job_id = "a";
  task.attempt = attempt;
  task.role = role;
  task.index = index;
  return task;
}

TEST(JobBoardTest, AJobIsSeenWithItsCurrentAttemptOnly) {
  JobBoard board{Snapshot()};
  Batch batch;
  batch.jobs = {JobOf(JobState::kActive, 1)};
  batch.tasks = {TaskOf(1, "trainer", 0)};
  EXPECT_EQ(board.Apply(batch).size(), 1u);
  EXPECT_EQ(board.Find("a")->tasks.size(), 1u);
  batch.jobs = {JobOf(JobState::kActive, 2)};
  batch.tasks = {TaskOf(2, "trainer", 0, 2)};
  board.Apply(batch);
  EXPECT_EQ(board.Find("a")->tasks.count(1), 0u);
  EXPECT_EQ(board.Find("a")->speaker, 2u);
}

TEST(JobBoardTest, ATerminalJobIsShownOnceMoreAndLeaves) {
  JobBoard board{Snapshot()};
  Batch batch;
  batch.jobs = {JobOf(JobState::kSucceeded, 1)};
  const auto views = board.Apply(batch);
  ASSERT_EQ(views.size(), 1u);
  EXPECT_EQ(views[0].job.state, JobState::kSucceeded);
  EXPECT_FALSE(board.Find("a").has_value());
}

TEST(JobBoardTest, MetricsAreOnlyOfTheTaskThatSpeaksForTheJob) {
  JobBoard board{Snapshot()};
  Batch batch;
  batch.jobs = {JobOf(JobState::kActive, 1, {"controller", "learner"})};
  batch.tasks = {TaskOf(1, "learner", 0), TaskOf(2, "controller", 0)};
  board.Apply(batch);
  EXPECT_FALSE(board.Observe("a", 1, {{"loss", 1}}));
  EXPECT_TRUE(board.Observe("a", 2, {{"reward", 1}}));
  EXPECT_FALSE(board.Observe("b", 2, {{"reward", 1}}));
  EXPECT_EQ(board.Find("a")->metrics.size(), 1u);
}

TEST(JobBoardTest, ProgressMarksAJobAsChangedOnce) {
  JobBoard board{Snapshot()};
  Batch batch;
  batch.jobs = {JobOf(JobState::kActive, 1)};
  batch.tasks = {TaskOf(1, "trainer", 0)};
  board.Apply(batch);
  board.Observe({"a", 1, {.phase = "train", .step = 3}});
  EXPECT_EQ(board.TakeChanged(), std::vector<std::string>({"a"}));
  EXPECT_TRUE(board.TakeChanged().empty());
  EXPECT_EQ(board.Find("a")->progress.at(1).step, 3);
}

TEST(JobBoardTest, AStartShowsWhatWasRunning) {
  Snapshot snapshot;
  snapshot.jobs = {JobOf(JobState::kActive, 1)};
  snapshot.tasks = {TaskOf(1, "trainer", 0)};
  EXPECT_EQ(JobBoard(snapshot).Find("a")->speaker, 1u);
}

}  // namespace
}  // namespace trainyard::coordinator
