// What the core knows: the records, what lives only in memory beside them, and the indexes over
// both. Plain data; Draft is its only writer, the duty files read it. Ordered containers only, so
// that a replay walks them in the same order.

#ifndef TRAINYARD_COORDINATOR_CORE_STATE_H_
#define TRAINYARD_COORDINATOR_CORE_STATE_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/core/decision.h"
#include "coordinator/core/event.h"
#include "coordinator/core/options.h"
#include "coordinator/core/records.h"

namespace trainyard::coordinator {

// One process, and what is heard from it.
struct Task {
  TaskRecord record;

  SessionId session = 0;         // 0 = not connected
  SessionId newest_session = 0;  // what an older one still says comes too late
  absl::Time session_lost_at = absl::InfinitePast();
  int64_t peers_told = 0;  // revision of the peers that this session was told
  std::optional<Progress> progress;
  absl::Time progress_at = absl::InfinitePast();  // when (phase, step) changed last
  // Times of the last steps, by phase.
  std::map<std::string, std::deque<absl::Duration>> step_times;
  bool hung = false;
  EndReason hang;
};

// How often in a row an elastic seat died before it was READY.
struct SeatHistory {
  int failures = 0;
  absl::Time not_before = absl::InfinitePast();
};

// What the tasks of an attempt were told of each other.
struct ToldPeers {
  int64_t revision = 0;                            // 0 = nothing yet
  std::shared_ptr<const std::vector<Peer>> peers;  // null = nothing yet
  absl::Time told_at = absl::InfinitePast();
};

struct Job {
  JobRecord record;
  AttemptRecord attempt;  // the last one; number 0 = none yet
  // Tasks in memory: all of the attempt while it is not ENDED, and any that still hold a slot.
  std::set<uint64_t> tasks;
  std::vector<CheckpointRow> checkpoints;  // newest first
  std::set<std::string> dependents;        // jobs that wait for this one

  absl::Time first_failure_at = absl::InfiniteFuture();
  absl::Time all_ended_at = absl::InfiniteFuture();
  std::map<std::pair<std::string, int>, SeatHistory> seats;  // by (role, index)
  ToldPeers told;
};

struct Node {
  NodeRecord record;

  SessionId session = 0;         // 0 = not connected
  SessionId newest_session = 0;  // what an older one still says comes too late
  absl::Time last_heard = absl::InfinitePast();
  absl::Time lease_until = absl::InfinitePast();
  std::set<uint64_t> tasks;  // that hold a slot: not EXITED
};

// Who writes under a run_uri (run_place.h).
struct RunPlace {
  std::string holder;  // id of the live job it belongs to; empty = none
  uint64_t epoch = 0;  // highest of all jobs that wrote there
};

// Order of the queue: priority, then submission.
using QueueKey = std::tuple<int, int64_t, std::string>;

struct State {
  State(const CoreOptions& core_options, Snapshot snapshot, absl::Time now);

  CoreOptions options;
  uint64_t term = 0;
  int64_t revision = 0;
  uint64_t next_task_uid = 1;
  absl::Time last_step;
  std::string read_only_reason;

  std::map<std::string, Job> jobs;
  std::map<uint64_t, Task> tasks;
  std::map<std::string, Node> nodes;
  std::map<std::string, PipelineRecord> pipelines;

  std::set<QueueKey> queue;                                    // QUEUED jobs
  std::set<std::string> live;                                  // jobs that are not terminal
  std::set<std::string> active;                                // ACTIVE jobs
  std::map<std::string, std::string> newest_by_name;           // job name -> id
  std::map<std::string, std::string> live_by_name;             // the same, outside pipelines
  std::map<std::string, std::string> newest_pipeline_by_name;  // name -> id
  std::map<std::string, std::string> job_by_request;
  std::map<std::string, std::string> pipeline_by_request;
  std::map<std::string, RunPlace> run_places;  // by run_uri
  std::map<SessionId, std::string> agent_sessions;
  std::map<SessionId, uint64_t> task_sessions;

  // Jobs whose tasks are to be told their peers, as soon as peer_spacing allows.
  std::set<std::string> repeered;
  // Something changed that may let a queued job or an elastic task start.
  bool schedule = true;
  absl::Time last_pass = absl::InfinitePast();
  // When back-offs of queued jobs and elastic seats end, each once.
  std::set<absl::Time> backoff_ends;
  // When jobs that wait are looked at for waiting_limit.
  absl::Time look_at_waiting = absl::InfinitePast();
  // Where the last pass over the queue found every node taken or kept: what comes behind it can not
  // start before something else changes.
  std::optional<QueueKey> queue_full_at;
  // Nodes kept free for the first gang of the queue that fits the cluster but not yet.
  std::set<std::string> reserved_nodes;

  // Null when there is none.
  Job* FindJob(const std::string& id);
  const Job* FindJob(const std::string& id) const;
  Task* FindTask(uint64_t task_uid);
  const Task* FindTask(uint64_t task_uid) const;
  Node* FindNode(const std::string& name);
  const Node* FindNode(const std::string& name) const;
  // By id, else the newest of that name.
  Job* FindJobByIdOrName(const std::string& id_or_name);
};

QueueKey QueueKeyOf(const JobRecord& record);

// The role's shape; null when the job has no such role.
const RoleShape* FindRole(const JobShape& shape, const std::string& name);

// How many tasks of the role the job wants now.
int WantedCount(const JobRecord& record, const RoleShape& role);

// "trainer/1".
std::string TaskName(const TaskRecord& record);

// True while the task occupies its slot.
inline bool HoldsSlot(const TaskRecord& record) { return record.state != TaskState::kExited; }

// True while the task may still run as far as anyone knows.
inline bool Reachable(const TaskRecord& record) {
  return record.state != TaskState::kExited && record.state != TaskState::kLost;
}

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_CORE_STATE_H_
