// What the coordinator remembers: plain structs, one per row of the store.
//
// Every record carries the revision of the decision that wrote it last. Times are wall times of the
// core's clock; absl::InfinitePast() = not yet. Values, no threads; the immutable parts of a job
// are shared between the core, the store's writer and the publishers.

#ifndef TRAINYARD_COORDINATOR_CORE_RECORDS_H_
#define TRAINYARD_COORDINATOR_CORE_RECORDS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/end_class.h"
#include "base/progress.h"
#include "coordinator/core/job_state.h"

namespace trainyard::coordinator {

// A vector of resources: what one task of a role asks.
struct Resources {
  int gpus = 0;  // 0 or 1
  int64_t cpu_milli = 0;
  int64_t memory_bytes = 0;
  std::map<std::string, std::string> node_selector;
  // Tasks of one job with the same group may share a device while their fractions sum to <= 1.
  // Empty = the device is the task's alone.
  std::string device_group;
  double gpu_memory_fraction = 0;  // 0 = 1

  bool operator==(const Resources&) const = default;
};

struct RoleShape {
  std::string name;
  int count = 1;      // elastic: wanted at first
  int min_count = 1;  // elastic only: the gang starts with this many
  // Elastic tasks restart singly and follow ScaleJob; any other task takes the attempt with it.
  bool elastic = false;
  Resources resources;
  int threads = 1;

  bool operator==(const RoleShape&) const = default;
};

// An input that another job writes.
struct ArtifactInput {
  std::string reference;  // text in the spec: "sft/model", "jobs/job-abc/model"
  std::string job;        // stage name, job id or job name
  std::string artifact;   // "model"

  bool operator==(const ArtifactInput&) const = default;
};

// Everything of a spec that the core decides by. Made and defaulted by the service; immutable.
struct JobShape {
  std::string kind;  // "pretrain", "ppo", "fake": as the field of JobSpec.kind is called
  int priority = 0;  // higher first
  std::vector<RoleShape> roles;
  std::vector<std::string> roots;  // names of roots that every node of the gang must prove
  // Stage names, job ids or job names that must be SUCCEEDED first. `inputs` add to it.
  std::vector<std::string> after;
  std::vector<ArtifactInput> inputs;
  std::string extend_job;  // id or name of a job whose checkpoints may be restored; or empty
  std::string run_uri;     // root://name/relative/path, without a slash at the end
  int max_attempts = 3;    // consecutive attempts without a new commit
  absl::Duration max_duration = absl::InfiniteDuration();  // from the first start
  absl::Duration start_limit = absl::Minutes(10);  // STARTING, and the phases before the first step
  absl::Duration checkpoint_limit = absl::Minutes(10);
  absl::Duration eval_limit = absl::Minutes(30);
  bool preflight = true;
  std::map<std::string, std::string> labels;

  bool operator==(const JobShape&) const = default;
};

// An output of a job, immutable.
struct ArtifactRow {
  std::string job_id;
  std::string name;
  uint64_t epoch = 0;
  std::string uri;
  std::string manifest_sha256;
  std::string type;
  int64_t size_bytes = 0;
  absl::Time committed_at = absl::InfinitePast();
  int64_t revision = 0;

  bool operator==(const ArtifactRow&) const = default;
};

struct JobRecord {
  std::string id;
  std::string name;
  std::string principal;
  std::string pipeline_id;  // empty outside a pipeline
  std::string stage;
  std::string request_id;   // of SubmitJob; empty in a pipeline
  std::string body_digest;  // of the submitted body
  std::string secret;       // 64 hex digits; never in events or logs
  std::shared_ptr<const JobShape> shape;
  std::shared_ptr<const std::string> spec;  // serialised JobSpec, opaque here
  std::vector<std::string> after;           // resolved job ids
  std::string extended_job;                 // resolved; empty = none

  JobState state = JobState::kQueued;
  DesiredState desired = DesiredState::kRun;
  uint64_t epoch = 0;  // 0 before the first attempt
  int attempt = 0;
  int attempts_without_commit = 0;
  std::map<std::string, int> wanted;             // of elastic roles
  std::map<std::string, ArtifactRow> inputs;     // by reference, once resolved
  absl::Time not_before = absl::InfinitePast();  // back-off
  // Set by FinishJob: the outputs are durable, the job is SUCCEEDED when its tasks are gone.
  bool finished = false;
  std::string finish_request_id;
  std::vector<ArtifactRow> outputs;
  EndReason end;
  std::string reason;  // why it does not run, when it does not
  absl::Time created_at = absl::InfinitePast();
  absl::Time state_since = absl::InfinitePast();
  absl::Time started_at = absl::InfinitePast();
  absl::Time ended_at = absl::InfinitePast();
  int64_t created_revision = 0;  // submission order
  int64_t revision = 0;
};

// One try of a job. Key: (job_id, number).
struct AttemptRecord {
  std::string job_id;
  int number = 0;
  uint64_t epoch = 0;
  AttemptState state = AttemptState::kPlaced;
  EndReason end;  // set when STOPPING begins
  int64_t restored_step = 0;
  bool committed = false;  // a checkpoint since it began
  absl::Time started_at = absl::InfinitePast();
  absl::Time state_since = absl::InfinitePast();
  absl::Time stop_deadline = absl::InfiniteFuture();  // end of the grace
  bool stop_checkpoint = false;                       // the stop asks for a checkpoint first
  bool fenced = false;                                // rights were withdrawn after the grace
  absl::Time ended_at = absl::InfinitePast();
  int64_t revision = 0;
};

// One process. Key: task_uid, never reused.
struct TaskRecord {
  uint64_t task_uid = 0;
  std::string job_id;
  int attempt = 0;
  uint64_t epoch = 0;
  std::string role;
  int index = 0;
  std::string node;
  uint64_t node_incarnation = 0;
  TaskState state = TaskState::kAssigned;
  Resources resources;
  std::vector<std::string> gpus;  // uuids it holds
  std::string endpoint;           // host:port, once it serves
  std::string numerics_id;
  bool elastic = false;
  bool stop = false;
  absl::Duration stop_grace = absl::ZeroDuration();
  std::string stop_reason;
  std::optional<EndReason> own_end;  // what the task itself said
  EndReason end;                     // how its agent saw it end, or why it is LOST
  absl::Time started_at = absl::InfinitePast();
  absl::Time ended_at = absl::InfinitePast();
  int64_t revision = 0;
};

struct Gpu {
  std::string uuid;
  std::string kind;
  int64_t memory_bytes = 0;

  bool operator==(const Gpu&) const = default;
};

// What a node offers.
struct NodeOffer {
  std::string host;
  std::string advertise;
  std::vector<Gpu> gpus;
  int64_t cpu_milli = 0;
  int64_t memory_bytes = 0;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> roots;  // name -> cluster id found beneath it
  std::string version;

  bool operator==(const NodeOffer&) const = default;
};

enum class NodeState {
  kAlive = 1,
  kLeaving = 2,  // said goodbye: no new tasks, running ones are drained
  kLost = 3,     // lease ran out, or gone after leaving; unusable until it registers again
};

struct NodeRecord {
  std::string name;
  uint64_t incarnation = 0;
  uint64_t process_nonce = 0;
  NodeState state = NodeState::kAlive;
  bool cordoned = false;
  NodeOffer offer;
  absl::Time registered_at = absl::InfinitePast();
  int64_t revision = 0;
};

// A committed checkpoint. The row is the commit. Key: (job_id, request_id).
struct CheckpointRow {
  std::string job_id;
  std::string request_id;
  uint64_t epoch = 0;
  int64_t step = 0;
  std::string uri;
  std::string manifest_sha256;
  std::optional<double> metric;
  bool metric_higher_is_better = false;
  std::vector<std::string> prune;  // what the commit's answer named
  absl::Time committed_at = absl::InfinitePast();
  int64_t revision = 0;  // commit order: the newest is the largest

  bool operator==(const CheckpointRow&) const = default;
};

struct PipelineRecord {
  std::string id;
  std::string name;
  std::string principal;
  std::string request_id;
  std::string body_digest;
  std::vector<std::string> job_ids;  // in order of stages
  absl::Time created_at = absl::InfinitePast();
  int64_t revision = 0;
};

// Something that happened, with its reason. Key: (revision, index).
struct EventRow {
  int64_t revision = 0;
  int index = 0;  // within the revision
  absl::Time time = absl::InfinitePast();
  std::string principal;
  std::string job_id;
  std::string node;
  std::string type;  // "job.queued", "attempt.started", "checkpoint.committed", ...
  std::string message;
};

// The records that one decision writes, in one transaction, under one revision. Batches have
// consecutive revisions.
struct Batch {
  uint64_t term = 0;
  int64_t revision = 0;
  uint64_t next_task_uid = 1;
  std::vector<JobRecord> jobs;
  std::vector<AttemptRecord> attempts;
  std::vector<TaskRecord> tasks;
  std::vector<NodeRecord> nodes;
  std::vector<CheckpointRow> checkpoints;
  std::vector<CheckpointRow> removed_checkpoints;
  std::vector<ArtifactRow> artifacts;
  std::vector<PipelineRecord> pipelines;
  std::vector<EventRow> events;
};

// What a core starts from: every job, its last attempt, the tasks that are not EXITED and those of
// the attempts of ACTIVE jobs.
struct Snapshot {
  uint64_t term = 0;
  int64_t revision = 0;
  uint64_t next_task_uid = 1;
  std::vector<JobRecord> jobs;
  std::vector<AttemptRecord> attempts;
  std::vector<TaskRecord> tasks;
  std::vector<NodeRecord> nodes;
  std::vector<CheckpointRow> checkpoints;
  std::vector<PipelineRecord> pipelines;
};

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_CORE_RECORDS_H_
