// Records with every field set, for tests of the store.

#ifndef TRAINYARD_TESTS_COORDINATOR_SAMPLE_RECORDS_H_
#define TRAINYARD_TESTS_COORDINATOR_SAMPLE_RECORDS_H_

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "coordinator/core/records.h"

namespace trainyard::coordinator {

inline absl::Time SampleTime() { return absl::FromUnixSeconds(1'700'000'000); }

inline EndReason SampleEnd() {
  return {EndClass::kOutOfMemory, "it grew beyond 8 GiB", 17, "train", "trainer/1 on a", 3, 9,
          int64_t{8} << 30};
}

inline ArtifactRow SampleArtifact(const std::string& job, const std::string& name) {
  return {job,
          name,
          3,
          absl::StrCat("root://runs/", job, "/", name),
          std::string(64, 'a'),
          "model",
          1234,
          SampleTime(),
          0};
}

inline JobShape SampleShape() {
  JobShape shape;
  shape.kind = "sft";
  shape.priority = 2;
  Resources resources{1, 4000, int64_t{8} << 30, {{"zone", "b"}}, "shared", 0.5};
  shape.roles = {{"trainer", 2, 2, false, resources, 4}, {"rollout", 3, 1, true, resources, 2}};
  shape.roots = {"runs", "data"};
  shape.after = {"tokenizer"};
  shape.inputs = {{"tokenizer/tokenizer", "tokenizer", "tokenizer"}};
  shape.extend_job = "older";
  shape.run_uri = "root://runs/x";
  shape.max_duration = absl::Hours(5);
  shape.labels = {{"team", "a"}};
  return shape;
}

inline JobRecord SampleJob(const std::string& id) {
  JobRecord job;
  job.id = id;
  job.name = "name-" + id;
  job.principal = "alice";
  job.request_id = "request-" + id;
  job.body_digest = "digest";
  job.secret = std::string(64, 's');
  job.shape = std::make_shared<const JobShape>(SampleShape());
  job.spec = std::make_shared<const std::string>(std::string("\0spec\xff", 6));
  job.after = {"job-1"};
  job.extended_job = "job-0";
  job.desired = DesiredState::kPause;
  job.epoch = 7;
  job.attempt = 3;
  job.attempts_without_commit = 2;
  job.wanted = {{"rollout", 5}};
  job.inputs = {{"tokenizer/tokenizer", SampleArtifact("job-1", "tokenizer")}};
  job.not_before = SampleTime() + absl::Seconds(4);
  job.finished = true;
  job.finish_request_id = "finish";
  job.outputs = {SampleArtifact(id, "model")};
  job.end = SampleEnd();
  job.reason = "waits";
  job.created_at = SampleTime();
  job.state_since = SampleTime();
  return job;
}

inline AttemptRecord SampleAttempt(const std::string& job, int number) {
  AttemptRecord attempt;
  attempt.job_id = job;
  attempt.number = number;
  attempt.epoch = 9;
  attempt.state = AttemptState::kStopping;
  attempt.end = SampleEnd();
  attempt.restored_step = 100;
  attempt.committed = true;
  attempt.started_at = SampleTime();
  attempt.stop_deadline = SampleTime() + absl::Seconds(30);
  attempt.fenced = true;
  return attempt;
}

inline TaskRecord SampleTask(uint64_t uid, const std::string& job, int attempt) {
  TaskRecord task;
  task.task_uid = uid;
  task.job_id = job;
  task.attempt = attempt;
  task.epoch = 9;
  task.role = "trainer";
  task.index = 1;
  task.node = "node-a";
  task.node_incarnation = 4;
  task.state = TaskState::kRunning;
  task.resources = SampleShape().roles[0].resources;
  task.gpus = {"GPU-1"};
  task.endpoint = "10.0.0.1:4000";
  task.numerics_id = "cpu-avx2";
  task.stop = true;
  task.stop_grace = absl::Seconds(5);
  task.own_end = SampleEnd();
  task.started_at = SampleTime();
  return task;
}

inline NodeRecord SampleNode(const std::string& name) {
  NodeRecord node;
  node.name = name;
  node.incarnation = 3;
  node.process_nonce = 0xfedcba9876543210;
  node.state = NodeState::kLeaving;
  node.cordoned = true;
  node.offer = {"host-a",
                "10.0.0.1",
                {{"GPU-1", "H200", int64_t{141} << 30}},
                64000,
                int64_t{512} << 30,
                {{"zone", "b"}},
                {{"runs", "cluster-1"}},
                "0.1"};
  node.registered_at = SampleTime();
  return node;
}

inline CheckpointRow SampleCheckpoint(const std::string& job, int64_t step) {
  CheckpointRow row;
  row.job_id = job;
  row.request_id = absl::StrCat("commit-", step);
  row.epoch = 9;
  row.step = step;
  row.uri = absl::StrCat("root://runs/x/e9/step-", step);
  row.manifest_sha256 = std::string(64, 'b');
  row.metric = 1.25;
  row.prune = {"root://runs/x/e8/step-1"};
  row.committed_at = SampleTime();
  return row;
}

inline EventRow SampleEvent(int64_t revision, int index, const std::string& job) {
  return {revision, index, SampleTime(), "alice",
          job,      "",    "job.queued", absl::StrCat("event ", index)};
}

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_TESTS_COORDINATOR_SAMPLE_RECORDS_H_
