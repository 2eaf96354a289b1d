// What the core decided: records to write, and what may leave the process once they are durable.

#ifndef TRAINYARD_COORDINATOR_CORE_DECISION_H_
#define TRAINYARD_COORDINATOR_CORE_DECISION_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "coordinator/core/event.h"
#include "coordinator/core/records.h"

namespace trainyard::coordinator {

// ---- To agents ----

struct AgentRegistered {
  uint64_t term = 0;
  uint64_t incarnation = 0;
  absl::Duration lease;
  absl::Duration heartbeat_interval;
  absl::Duration orphan_timeout;
};

// Everything a task is started with.
struct Assignment {
  std::string job_id;
  std::string job_name;
  std::string kind;
  uint64_t epoch = 0;
  int attempt = 0;
  uint64_t task_uid = 0;
  std::string secret;
  uint64_t term = 0;
  std::string role;
  int index = 0;
  int role_count = 0;  // elastic: wanted
  int threads = 1;
  std::string node;
  std::string run_uri;
  Resources resources;
  std::vector<std::string> gpus;              // uuids
  std::map<std::string, ArtifactRow> inputs;  // by reference
  std::vector<CheckpointRow> restore;         // newest first
  std::shared_ptr<const std::string> spec;    // serialised JobSpec
};

struct DesiredTask {
  uint64_t task_uid = 0;
  // TERM now, KILL after `grace`. An agent that never knew the uid reports its exit at once.
  bool stop = false;
  absl::Duration grace = absl::ZeroDuration();
  Assignment assignment;  // only task_uid, role, index and job_id when `stop`
};

// The level: everything that should be on the node. An agent ignores a lower (term, revision),
// stops what is not named and starts what it does not know. The set names a task until its exit is
// durable.
struct DesiredSet {
  uint64_t term = 0;
  int64_t revision = 0;
  std::vector<DesiredTask> tasks;
};

// These exits are durable; the agent stops resending them.
struct ExitAcks {
  std::vector<uint64_t> task_uids;
};

// Check the inputs of this assignment before its gang starts. Sent again after a reconnect.
struct PreflightOrder {
  std::string job_id;
  uint64_t epoch = 0;
  Assignment assignment;
};

// ---- To tasks ----

struct TaskWelcome {
  uint64_t term = 0;
  absl::Duration heartbeat_interval;
};

struct Peer {
  uint64_t task_uid = 0;
  std::string role;
  int index = 0;
  std::string endpoint;  // empty while it is not ready
  bool ready = false;
  bool draining = false;
  std::string node;
  std::string numerics_id;

  bool operator==(const Peer&) const = default;
};

// The level: everybody of this attempt. A task ignores a lower (term, revision).
struct PeerSet {
  int64_t revision = 0;
  std::shared_ptr<const std::vector<Peer>> peers;  // by role, index, task_uid; never null
};

struct StopOrder {
  bool checkpoint = false;  // save one first, when the role can
  absl::Duration grace = absl::ZeroDuration();
  std::string reason;
};

// The end reason is kept; the task may exit.
struct EndAck {};

// ---- To both ----

struct HeartbeatAck {
  int64_t sequence = 0;
  uint64_t term = 0;
};

// Close the stream with this status. Aborted: stale, register again (agent) or exit (task).
struct CloseSession {
  absl::Status status;
};

using Order = std::variant<AgentRegistered, DesiredSet, ExitAcks, PreflightOrder, TaskWelcome,
                           PeerSet, StopOrder, EndAck, HeartbeatAck, CloseSession>;

// One message on one stream. Messages of a stream leave in the order of the decisions.
struct Outgoing {
  SessionId session = 0;
  Order order;
};

// ---- To callers ----

struct CommitAnswer {
  int64_t revision = 0;
  std::vector<std::string> prune;  // uris that the caller may delete now
};

struct FinishAnswer {
  int64_t revision = 0;
};

struct Reply {
  CallId call = 0;
  absl::Status status;
  // Upper-case word a program can test; empty when OK.
  std::string reason;
  std::variant<std::monostate, JobRecord, PipelineRecord, NodeRecord, CommitAnswer, FinishAnswer>
      value;
};

// Progress that watchers may see at once. Never stored.
struct LiveProgress {
  std::string job_id;
  uint64_t task_uid = 0;
  Progress progress;
};

// Nothing in `orders` and `replies` may leave before `revision` is durable (that is this decision's
// own batch or, when it writes nothing, the batch before it). `immediate` may leave at once.
struct Decision {
  int64_t revision = 0;
  // Null when nothing is written. Once durable it is also what watchers are told.
  std::shared_ptr<const Batch> batch;
  std::vector<Outgoing> orders;
  std::vector<Reply> replies;
  std::vector<Outgoing> immediate;  // heartbeat acknowledgements
  std::vector<LiveProgress> progress;
  // Why, in words, for the log and the trace; one line each.
  std::vector<std::string> reasons;
};

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_CORE_DECISION_H_
