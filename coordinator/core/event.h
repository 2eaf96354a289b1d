// Everything that can happen to the coordinator, as values. RPC handlers, session messages and
// ticks become one of these; the core sees nothing else.
//
// Ids, secrets and digests are drawn by whoever makes the event, so that a replay repeats them.

#ifndef TRAINYARD_COORDINATOR_CORE_EVENT_H_
#define TRAINYARD_COORDINATOR_CORE_EVENT_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "coordinator/core/records.h"

namespace trainyard::coordinator {

// Names the RPC that waits for an answer; chosen by the service, echoed in Reply.
using CallId = uint64_t;
// Names one stream of an agent or a task; never reused within a process of the coordinator, and
// growing with the order in which streams were accepted: a later one of the same peer is newer.
using SessionId = uint64_t;

// ---- Users ----

struct JobDraft {
  std::string id;      // fresh
  std::string secret;  // fresh, 64 hex digits
  std::string name;    // also the stage's name in a pipeline
  JobShape shape;
  std::string spec;  // serialised JobSpec
};

struct SubmitJob {
  CallId call = 0;
  std::string principal;
  std::string request_id;
  std::string body_digest;  // SHA-256 of what the user sent, without ids that were drawn
  bool validate_only = false;
  JobDraft job;
};

struct SubmitPipeline {
  CallId call = 0;
  std::string principal;
  std::string request_id;
  std::string body_digest;
  bool validate_only = false;
  std::string id;  // fresh
  std::string name;
  std::vector<JobDraft> stages;
};

enum class JobVerb { kCancel, kPause, kResume, kRetry };

struct ChangeJob {
  CallId call = 0;
  std::string principal;
  JobVerb verb = JobVerb::kCancel;
  std::string job;  // id, or name (the newest of that name)
  std::string reason;
};

struct ChangePipeline {
  CallId call = 0;
  std::string principal;
  JobVerb verb = JobVerb::kCancel;  // kCancel or kRetry
  std::string pipeline;             // id, or name (the newest of that name)
  std::string reason;
};

struct ScaleJob {
  CallId call = 0;
  std::string principal;
  std::string job;
  std::string role;
  int count = 0;
  int64_t etag = 0;  // revision the caller saw; 0 = any
};

struct CordonNode {
  CallId call = 0;
  std::string principal;
  std::string node;
  bool uncordon = false;
};

struct DrainNode {
  CallId call = 0;
  std::string principal;
  std::string node;
  absl::Duration deadline = absl::Minutes(5);
};

// ---- Agents ----

struct ActualTask {
  uint64_t task_uid = 0;
  TaskState state = TaskState::kStarting;  // EXITED: its exit is not acknowledged yet
};

struct AgentRegister {
  SessionId session = 0;
  std::string node;
  uint64_t process_nonce = 0;
  NodeOffer offer;
  uint64_t highest_term = 0;
  std::vector<ActualTask> actual;  // alive, or exit not acknowledged
};

struct AgentHeartbeat {
  SessionId session = 0;
  int64_t sequence = 0;
};

struct AgentActualSet {
  SessionId session = 0;
  int64_t desired_revision = 0;  // it has converged to
  std::vector<ActualTask> tasks;
};

struct AgentTaskExit {
  SessionId session = 0;
  uint64_t task_uid = 0;
  EndReason end;
};

struct AgentPreflight {
  SessionId session = 0;
  std::string job_id;
  uint64_t epoch = 0;
  bool ok = false;
  EndReason problem;
};

struct AgentLeaving {
  SessionId session = 0;
  absl::Duration deadline = absl::ZeroDuration();
  std::string reason;
};

struct AgentSessionLost {
  SessionId session = 0;
};

// ---- Tasks ----

struct TaskHello {
  SessionId session = 0;
  std::string job_id;
  uint64_t epoch = 0;
  uint64_t task_uid = 0;
  std::string secret;
  uint64_t highest_term = 0;
  std::string numerics_id;
  std::string endpoint;
  bool ready = false;
};

struct TaskReady {
  SessionId session = 0;
  std::string endpoint;
  std::string numerics_id;
};

struct TaskProgress {
  SessionId session = 0;
  Progress progress;
};

struct TaskEnd {
  SessionId session = 0;
  EndReason end;
};

struct TaskHeartbeat {
  SessionId session = 0;
  int64_t sequence = 0;
};

struct TaskSessionLost {
  SessionId session = 0;
};

// Who speaks, in calls outside a session.
struct TaskIdentity {
  std::string job_id;
  uint64_t epoch = 0;
  uint64_t task_uid = 0;
  std::string secret;
};

struct CommitCheckpoint {
  CallId call = 0;
  TaskIdentity task;
  std::string request_id;
  int64_t step = 0;
  std::string uri;
  std::string manifest_sha256;
  std::optional<double> metric;
  bool metric_higher_is_better = false;
  int keep = 2;  // newest checkpoints to keep, besides the best; 0 = 2
};

struct FinishJob {
  CallId call = 0;
  TaskIdentity task;
  std::string request_id;
  std::vector<ArtifactRow> outputs;  // name, uri, manifest_sha256, type, size_bytes
};

// ---- The coordinator itself ----

// Time passes. At least every second while anything is connected, else leases are stretched.
struct Tick {};

// Something that was held back is due (Core::DueAt): a pass over the queue, peers, a back-off.
struct Due {};

// The store takes no new work (empty: it does again).
struct StoreCondition {
  std::string read_only_reason;
};

using Event = std::variant<SubmitJob, SubmitPipeline, ChangeJob, ChangePipeline, ScaleJob,
                           CordonNode, DrainNode, AgentRegister, AgentHeartbeat, AgentActualSet,
                           AgentTaskExit, AgentPreflight, AgentLeaving, AgentSessionLost, TaskHello,
                           TaskReady, TaskProgress, TaskEnd, TaskHeartbeat, TaskSessionLost,
                           CommitCheckpoint, FinishJob, Tick, Due, StoreCondition>;

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_CORE_EVENT_H_
