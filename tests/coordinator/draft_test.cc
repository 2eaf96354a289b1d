#include "coordinator/core/draft.h"

#include <gtest/gtest.h>

#include "tests/coordinator/sample_records.h"

namespace trainyard::coordinator {
namespace {

JobRecord Queued(const std::string& id) {
  JobRecord job;
  job.id = id;
  job.name = id;
  job.shape = std::make_shared<const JobShape>(SampleShape());
  job.spec = std::make_shared<const std::string>();
  job.state = JobState::kQueued;
  return job;
}

class DraftTest : public testing::Test {
 protected:
  State state_{CoreOptions(), Snapshot(), SampleTime()};
};

TEST_F(DraftTest, WhatIsEditedIsWrittenUnderOneRevision) {
  Draft draft(&state_, SampleTime());
  Job& job = draft.AddJob(Queued("job-1"));
  draft.NoteJob("job.submitted", job, "hello");
  draft.NoteJob("job.queued", job, "hello again");
  const Decision decision = draft.Finish();
  ASSERT_NE(decision.batch, nullptr);
  EXPECT_EQ(decision.revision, 1);
  EXPECT_EQ(decision.batch->revision, 1);
  ASSERT_EQ(decision.batch->jobs.size(), 1);
  EXPECT_EQ(decision.batch->jobs[0].revision, 1);
  EXPECT_EQ(decision.batch->jobs[0].created_revision, 1);
  ASSERT_EQ(decision.batch->events.size(), 2);
  EXPECT_EQ(decision.batch->events[1].revision, 1);
  EXPECT_EQ(decision.batch->events[1].index, 1);
  EXPECT_EQ(state_.revision, 1);
}

TEST_F(DraftTest, ADecisionThatWritesNothingTakesNoRevisionAndWaitsForTheOneBefore) {
  Draft first(&state_, SampleTime());
  first.AddJob(Queued("job-1"));
  first.Finish();
  Draft second(&state_, SampleTime());
  second.AnswerJob(7, "job-1");
  const Decision decision = second.Finish();
  EXPECT_EQ(decision.batch, nullptr);
  EXPECT_EQ(decision.revision, 1);
  ASSERT_EQ(decision.replies.size(), 1);
  EXPECT_EQ(std::get<JobRecord>(decision.replies[0].value).revision, 1);
}

TEST_F(DraftTest, IndexesFollowTheStateOfAJob) {
  Draft draft(&state_, SampleTime());
  Job& job = draft.AddJob(Queued("job-1"));
  EXPECT_EQ(state_.queue.size(), 1);
  EXPECT_EQ(state_.live_by_name.at("job-1"), "job-1");
  draft.MoveJob(job, JobMove::kPlace, "");
  EXPECT_TRUE(state_.queue.empty());
  EXPECT_EQ(state_.active.count("job-1"), 1);
  draft.MoveJob(job, JobMove::kFail, "broken");
  EXPECT_TRUE(state_.active.empty());
  EXPECT_TRUE(state_.live.empty());
  EXPECT_EQ(state_.live_by_name.count("job-1"), 0);
  EXPECT_EQ(job.record.ended_at, SampleTime());
}

TEST_F(DraftTest, ASecondAttemptInOneStepDoesNotHideTheEndOfTheFirst) {
  Draft draft(&state_, SampleTime());
  Job& job = draft.AddJob(Queued("job-1"));
  AttemptRecord first;
  first.job_id = "job-1";
  first.number = 1;
  draft.AddAttempt(job, first);
  AttemptRecord second = first;
  second.number = 2;
  draft.AddAttempt(job, second);
  const Decision decision = draft.Finish();
  ASSERT_EQ(decision.batch->attempts.size(), 2);
  EXPECT_EQ(decision.batch->attempts[0].number, 1);
  EXPECT_EQ(decision.batch->attempts[0].revision, 1);
  EXPECT_EQ(decision.batch->attempts[1].number, 2);
}

TEST_F(DraftTest, UidsAreNeverReusedAndSlotsFollowTheTasks) {
  Draft draft(&state_, SampleTime());
  Job& job = draft.AddJob(Queued("job-1"));
  AttemptRecord attempt;
  attempt.job_id = "job-1";
  attempt.number = 1;
  draft.AddAttempt(job, attempt);
  draft.AddNode({"node-a"});
  TaskRecord record;
  record.job_id = "job-1";
  record.attempt = 1;
  record.node = "node-a";
  const uint64_t first = draft.AddTask(record).record.task_uid;
  Task& task = draft.AddTask(record);
  EXPECT_EQ(task.record.task_uid, first + 1);
  EXPECT_EQ(state_.nodes.at("node-a").tasks.size(), 2);
  EXPECT_TRUE(draft.MoveTask(task, TaskMove::kExit));
  EXPECT_FALSE(draft.MoveTask(task, TaskMove::kLose));
  EXPECT_EQ(state_.nodes.at("node-a").tasks.size(), 1);
  EXPECT_EQ(draft.Finish().batch->next_task_uid, first + 2);
}

}  // namespace
}  // namespace trainyard::coordinator
