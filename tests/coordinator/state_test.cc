#include "coordinator/core/state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/coordinator/sample_records.h"

namespace trainyard::coordinator {
namespace {

Snapshot Loaded() {
  Snapshot snapshot;
  snapshot.term = 5;
  snapshot.revision = 40;
  snapshot.next_task_uid = 9;
  JobRecord done = SampleJob("job-1");
  done.name = "same";
  done.after.clear();
  done.state = JobState::kSucceeded;
  done.created_revision = 1;
  JobRecord active = SampleJob("job-2");
  active.name = "same";
  active.state = JobState::kActive;
  active.created_revision = 2;
  JobRecord queued = SampleJob("job-3");
  queued.state = JobState::kQueued;
  queued.pipeline_id = "pipe-1";
  snapshot.jobs = {done, active, queued};
  snapshot.attempts = {SampleAttempt("job-2", 3)};
  TaskRecord running = SampleTask(7, "job-2", 3);
  TaskRecord exited = SampleTask(8, "job-2", 3);
  exited.state = TaskState::kExited;
  snapshot.tasks = {running, exited};
  snapshot.nodes = {SampleNode("node-a")};
  CheckpointRow older = SampleCheckpoint("job-2", 1);
  older.revision = 10;
  CheckpointRow newer = SampleCheckpoint("job-2", 2);
  newer.revision = 20;
  snapshot.checkpoints = {older, newer};
  return snapshot;
}

TEST(StateTest, IndexesAreBuiltFromWhatWasDurable) {
  State state({}, Loaded(), SampleTime());
  EXPECT_THAT(state.live, testing::ElementsAre("job-2", "job-3"));
  EXPECT_THAT(state.active, testing::ElementsAre("job-2"));
  ASSERT_EQ(state.queue.size(), 1);
  EXPECT_EQ(std::get<2>(*state.queue.begin()), "job-3");
  EXPECT_EQ(state.FindJobByIdOrName("same")->record.id, "job-2") << "the newest";
  EXPECT_EQ(state.live_by_name.at("same"), "job-2");
  EXPECT_EQ(state.live_by_name.count("name-job-3"), 0) << "stages do not own their names";
  EXPECT_THAT(state.nodes.at("node-a").tasks, testing::ElementsAre(7)) << "exited holds no slot";
  EXPECT_THAT(state.jobs.at("job-2").tasks, testing::ElementsAre(7, 8));
  EXPECT_EQ(state.jobs.at("job-2").checkpoints[0].step, 2) << "newest first";
  EXPECT_THAT(state.jobs.at("job-1").dependents, testing::ElementsAre("job-2", "job-3"));
  EXPECT_EQ(state.nodes.at("node-a").lease_until, SampleTime() + absl::Seconds(30));
}

TEST(StateTest, TheQueueIsOrderedByPriorityThenSubmission) {
  JobRecord early = SampleJob("b");
  early.created_revision = 1;
  JobRecord late = SampleJob("a");
  late.created_revision = 2;
  EXPECT_LT(QueueKeyOf(early), QueueKeyOf(late));
  JobShape urgent = SampleShape();
  urgent.priority = 9;
  late.shape = std::make_shared<const JobShape>(urgent);
  EXPECT_LT(QueueKeyOf(late), QueueKeyOf(early));
}

TEST(StateTest, WantedCountsAreThoseOfTheLastScale) {
  JobRecord job = SampleJob("job-1");
  EXPECT_EQ(WantedCount(job, *FindRole(*job.shape, "rollout")), 5);
  EXPECT_EQ(WantedCount(job, *FindRole(*job.shape, "trainer")), 2);
  job.wanted.clear();
  EXPECT_EQ(WantedCount(job, *FindRole(*job.shape, "rollout")), 3);
  EXPECT_EQ(FindRole(*job.shape, "nobody"), nullptr);
}

}  // namespace
}  // namespace trainyard::coordinator
