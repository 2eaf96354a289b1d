#include "tests/coordinator/store_conformance.h"

#include <gmock/gmock.h>

#include <utility>
#include <vector>

#include "coordinator/store_codec.h"
#include "tests/coordinator/sample_records.h"

namespace trainyard::coordinator {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

namespace {

template <typename Record>
std::vector<std::string> Texts(const std::vector<Record>& records) {
  std::vector<std::string> texts;
  for (const Record& record : records) texts.push_back(EncodeRecord(record));
  return texts;
}

std::vector<std::string> Ids(const std::vector<JobRecord>& jobs) {
  std::vector<std::string> ids;
  for (const JobRecord& job : jobs) ids.push_back(job.id);
  return ids;
}

}  // namespace

Batch StoreConformance::Next() {
  Batch batch;
  batch.term = store().term();
  batch.revision = store().durable_revision() + 1;
  return batch;
}

absl::Status StoreConformance::Put(Batch batch) {
  store().Write(std::make_shared<const Batch>(std::move(batch)));
  return fixture_->Settle();
}

void StoreConformance::PutJob(const JobRecord& job) {
  Batch batch = Next();
  JobRecord record = job;
  record.created_revision = batch.revision;
  record.revision = batch.revision;
  batch.jobs.push_back(record);
  ASSERT_TRUE(Put(std::move(batch)).ok());
}

TEST_P(StoreConformance, EveryFieldOfEveryRecordComesBack) {
  Batch batch = Next();
  JobRecord job = SampleJob("job-2");
  job.state = JobState::kActive;
  job.created_revision = job.revision = batch.revision;
  batch.next_task_uid = 42;
  batch.jobs = {job};
  batch.attempts = {SampleAttempt("job-2", 3)};
  batch.tasks = {SampleTask(41, "job-2", 3)};
  batch.nodes = {SampleNode("node-a")};
  batch.checkpoints = {SampleCheckpoint("job-2", 50)};
  batch.artifacts = {SampleArtifact("job-2", "model")};
  batch.pipelines = {{"pipe-1", "demo", "alice", "r", "d", {"job-2"}, SampleTime(), 1}};
  batch.events = {SampleEvent(batch.revision, 0, "job-2")};
  ASSERT_TRUE(Put(batch).ok());

  for (int reopened = 0; reopened < 2; ++reopened) {
    const auto read = store().GetJob("job-2");
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(EncodeRecord(*read), EncodeRecord(job));
    EXPECT_EQ(*read->shape, *job.shape);
    EXPECT_EQ(*read->spec, *job.spec);
    EXPECT_EQ(Texts(*store().ListAttempts("job-2")), Texts(batch.attempts));
    EXPECT_EQ(Texts(*store().ListTasks("job-2", 3)), Texts(batch.tasks));
    EXPECT_EQ(EncodeRecord(*store().GetTask(41)), EncodeRecord(batch.tasks[0]));
    EXPECT_EQ(*store().ListCheckpoints("job-2"), batch.checkpoints);
    EXPECT_EQ(*store().ListArtifacts("job-2"), batch.artifacts);
    EXPECT_EQ(*store().ListAllArtifacts(10), batch.artifacts);
    EXPECT_EQ(EncodeRecord(*store().FindPipeline("demo")), EncodeRecord(batch.pipelines[0]));
    const auto snapshot = store().Load();
    ASSERT_TRUE(snapshot.ok()) << snapshot.status();
    EXPECT_EQ(snapshot->term, store().term());
    EXPECT_EQ(snapshot->revision, batch.revision);
    EXPECT_EQ(snapshot->next_task_uid, 42);
    EXPECT_EQ(Texts(snapshot->jobs), Texts(batch.jobs));
    EXPECT_EQ(Texts(snapshot->attempts), Texts(batch.attempts));
    EXPECT_EQ(Texts(snapshot->tasks), Texts(batch.tasks));
    EXPECT_EQ(Texts(snapshot->nodes), Texts(batch.nodes));
    EXPECT_EQ(snapshot->checkpoints, batch.checkpoints);
    EXPECT_EQ(Texts(snapshot->pipelines), Texts(batch.pipelines));
    fixture_->Reopen();
  }
}

TEST_P(StoreConformance, EachOpeningIsANewTerm) {
  const uint64_t first = store().term();
  fixture_->Reopen();
  EXPECT_EQ(store().term(), first + 1);
}

TEST_P(StoreConformance, ABatchOfAnotherTermFailsTheStore) {
  Batch batch = Next();
  batch.term -= 1;
  EXPECT_TRUE(absl::IsFailedPrecondition(Put(batch)));
  EXPECT_EQ(store().durable_revision(), 0);
}

TEST_P(StoreConformance, AHoleInTheRevisionsFailsTheStoreAndNothingAfterItIsWritten) {
  PutJob(SampleJob("job-1"));
  Batch batch = Next();
  batch.revision += 1;
  EXPECT_TRUE(absl::IsFailedPrecondition(Put(batch)));
  EXPECT_FALSE(Put(Next()).ok());
  fixture_->Reopen();
  EXPECT_EQ(store().durable_revision(), 1);
  EXPECT_TRUE(store().GetJob("job-1").ok());
}

TEST_P(StoreConformance, AChangedJobKeepsItsSpecAndItsPlaceInTheOrder) {
  PutJob(SampleJob("job-1"));
  JobRecord job = *store().GetJob("job-1");
  Batch batch = Next();
  job.state = JobState::kFailed;
  job.revision = batch.revision;
  batch.jobs = {job};
  ASSERT_TRUE(Put(batch).ok());
  const auto read = store().GetJob("job-1");
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->state, JobState::kFailed);
  EXPECT_EQ(read->created_revision, 1);
  EXPECT_EQ(*read->spec, *job.spec);
}

TEST_P(StoreConformance, RemovedCheckpointsAreGone) {
  PutJob(SampleJob("job-1"));
  Batch first = Next();
  first.checkpoints = {SampleCheckpoint("job-1", 1)};
  first.checkpoints[0].revision = first.revision;
  ASSERT_TRUE(Put(first).ok());
  Batch second = Next();
  second.removed_checkpoints = first.checkpoints;
  second.checkpoints = {SampleCheckpoint("job-1", 2), SampleCheckpoint("job-1", 3)};
  second.checkpoints[0].revision = second.revision;
  second.checkpoints[1].revision = second.revision + 1;
  ASSERT_TRUE(Put(second).ok());
  const auto rows = store().ListCheckpoints("job-1");
  ASSERT_TRUE(rows.ok());
  ASSERT_EQ(rows->size(), 2);
  EXPECT_EQ((*rows)[0].step, 3) << "newest first";
  EXPECT_EQ((*rows)[1].step, 2);
}

TEST_P(StoreConformance, ACoreStartsFromLiveAttemptsAndHeldSlotsOnly) {
  JobRecord ended = SampleJob("job-1");
  ended.state = JobState::kSucceeded;
  PutJob(ended);
  JobRecord active = SampleJob("job-2");
  active.state = JobState::kActive;
  PutJob(active);
  Batch batch = Next();
  batch.attempts = {SampleAttempt("job-1", 3), SampleAttempt("job-2", 2),
                    SampleAttempt("job-2", 3)};
  TaskRecord lost = SampleTask(1, "job-1", 3);
  lost.state = TaskState::kLost;
  TaskRecord gone = SampleTask(2, "job-1", 3);
  gone.state = TaskState::kExited;
  TaskRecord older = SampleTask(3, "job-2", 2);
  older.state = TaskState::kExited;
  TaskRecord current = SampleTask(4, "job-2", 3);
  current.state = TaskState::kExited;
  batch.tasks = {lost, gone, older, current, SampleTask(5, "job-2", 3)};
  ASSERT_TRUE(Put(batch).ok());
  const auto snapshot = store().Load();
  ASSERT_TRUE(snapshot.ok());
  std::vector<uint64_t> uids;
  for (const TaskRecord& task : snapshot->tasks) uids.push_back(task.task_uid);
  EXPECT_THAT(uids, testing::UnorderedElementsAre(1, 4, 5));
  EXPECT_EQ(snapshot->attempts.size(), 2) << "the last attempt of each job";
}

TEST_P(StoreConformance, PagesNeitherSkipNorRepeatWhileJobsAreAdded) {
  for (const char* id : {"job-1", "job-2", "job-3", "job-4", "job-5"}) PutJob(SampleJob(id));
  const auto first = store().ListJobs({}, {2, ""});
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_THAT(Ids(first->jobs), ElementsAre("job-5", "job-4"));
  EXPECT_EQ(first->revision, 5);
  PutJob(SampleJob("job-6"));
  const auto second = store().ListJobs({}, {2, first->next});
  ASSERT_TRUE(second.ok());
  EXPECT_THAT(Ids(second->jobs), ElementsAre("job-3", "job-2"));
  const auto third = store().ListJobs({}, {2, second->next});
  ASSERT_TRUE(third.ok());
  EXPECT_THAT(Ids(third->jobs), ElementsAre("job-1"));
  EXPECT_EQ(third->next, "");
}

TEST_P(StoreConformance, TermsOfAFilterAreJoinedByAnd) {
  PutJob(SampleJob("job-1"));
  JobRecord failed = SampleJob("job-2");
  failed.state = JobState::kFailed;
  failed.pipeline_id = "pipe-1";
  JobShape shape = SampleShape();
  shape.kind = "ppo";
  shape.labels = {{"team", "b"}, {"run", "7"}};
  failed.shape = std::make_shared<const JobShape>(shape);
  PutJob(failed);
  const auto found = [&](const JobFilter& filter) {
    const auto page = store().ListJobs(filter, {});
    return page.ok() ? Ids(page->jobs) : std::vector<std::string>{"error"};
  };
  JobFilter by_kind;
  by_kind.kind = "ppo";
  EXPECT_THAT(found(by_kind), ElementsAre("job-2"));
  JobFilter by_labels;
  by_labels.labels = {{"team", "b"}, {"run", "7"}};
  EXPECT_THAT(found(by_labels), ElementsAre("job-2"));
  by_labels.kind = "sft";
  EXPECT_THAT(found(by_labels), IsEmpty());
  JobFilter by_state;
  by_state.state = JobState::kFailed;
  by_state.name = "name-job-2";
  by_state.pipeline_id = "pipe-1";
  EXPECT_THAT(found(by_state), ElementsAre("job-2"));
  EXPECT_EQ(store().CountJobsByState()->at("FAILED"), 1);
}

TEST_P(StoreConformance, ANameMeansItsNewestJob) {
  JobRecord older = SampleJob("job-z");
  JobRecord newer = SampleJob("job-a");
  older.name = newer.name = "same";
  PutJob(older);
  PutJob(newer);
  EXPECT_EQ(store().FindJob("same")->id, "job-a");
  EXPECT_EQ(store().FindJob("job-z")->id, "job-z");
}

TEST_P(StoreConformance, APageOfEventsNeverEndsInsideARevision) {
  PutJob(SampleJob("job-1"));
  for (int i = 0; i < 3; ++i) {
    Batch batch = Next();
    batch.events = {SampleEvent(batch.revision, 0, "job-1"),
                    SampleEvent(batch.revision, 1, "job-2"),
                    SampleEvent(batch.revision, 2, "job-1")};
    ASSERT_TRUE(Put(batch).ok());
  }
  const auto first = store().EventsSince(0, "", 4);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->events.size(), 6);
  EXPECT_TRUE(first->more);
  EXPECT_EQ(first->next_revision, 3);
  const auto second = store().EventsSince(first->next_revision, "", 4);
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second->events.size(), 3);
  EXPECT_FALSE(second->more);
  const auto of_job = store().EventsSince(2, "job-1", 100);
  ASSERT_TRUE(of_job.ok());
  ASSERT_EQ(of_job->events.size(), 4);
  EXPECT_EQ(of_job->events[1].message, "event 2");
  EXPECT_EQ(of_job->events[1].time, SampleTime());
}

TEST_P(StoreConformance, ChangedJobsComeInWholeRevisions) {
  Batch batch = Next();
  for (const char* id : {"job-1", "job-2", "job-3"}) {
    JobRecord job = SampleJob(id);
    job.created_revision = job.revision = batch.revision;
    batch.jobs.push_back(job);
  }
  ASSERT_TRUE(Put(batch).ok());
  PutJob(SampleJob("job-4"));
  EXPECT_THAT(Ids(*store().JobsChangedSince(0, 2)), ElementsAre("job-1", "job-2", "job-3"));
  EXPECT_THAT(Ids(*store().JobsChangedSince(1, 2)), ElementsAre("job-4"));
}

TEST_P(StoreConformance, WhatIsNotThereIsNamed) {
  EXPECT_TRUE(absl::IsNotFound(store().GetJob("nobody").status()));
  EXPECT_THAT(std::string(store().FindJob("nobody").status().message()), HasSubstr("nobody"));
  EXPECT_TRUE(absl::IsNotFound(store().FindPipeline("nobody").status()));
  EXPECT_TRUE(absl::IsNotFound(store().GetTask(9).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(store().ListJobs({}, {10, "nonsense"}).status()));
  EXPECT_THAT(*store().ListCheckpoints("nobody"), IsEmpty());
}

}  // namespace trainyard::coordinator
