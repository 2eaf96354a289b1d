// The decisions of an agent: which tasks to start, signal and report. Pure: no threads, no clock,
// no gRPC, no processes. agent/session.cc and agent/processes.cc run it for real, the simulator on
// a virtual clock.
//
// Orders are levels: the coordinator names every task that should run here, the agent converges by
// task_uid. A task's life as the agent sees it:
//
//   desired ---> kStarting ---> kRunning ---> kStopping ---> kExited ---> forgotten
//                    |    started       TERM sent      reaped   ^  exit acknowledged
//                    +-----------------------------------------+  could not start
//
// A start of a uid that is known or was finished is a no-op. An exit is sent again until it is
// acknowledged. Cut off for the orphan timeout, the agent stops everything.

#ifndef TRAINYARD_AGENT_CORE_H_
#define TRAINYARD_AGENT_CORE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/end_class.h"
#include "base/session_link.h"

namespace trainyard::agent {

// Mirrors agent.proto. What the node offers and says of itself.
struct GpuDevice {
  std::string uuid;
  std::string kind;
  int64_t memory_bytes = 0;
};
struct RootProof {
  std::string name;
  std::string cluster_id;
};
struct NodeOffer {
  std::string node;
  uint64_t process_nonce = 0;
  std::string host;
  std::string advertise;
  std::vector<GpuDevice> gpus;
  int64_t cpu_milli = 0;
  int64_t memory_bytes = 0;
  std::map<std::string, std::string> labels;
  std::vector<RootProof> roots;
  std::string version;
};

// A task to run, or to stop.
struct DesiredTask {
  uint64_t task_uid = 0;
  bool stop = false;  // TERM now, KILL after `grace`
  absl::Duration grace = absl::Seconds(30);
  std::string binary;
  std::string assignment;  // serialised TaskAssignment
  int64_t cpu_milli = 0;
  int64_t memory_bytes = 0;
  std::vector<std::string> gpus;  // uuids
};

enum class TaskPhase { kStarting, kRunning, kStopping, kExited };

struct ActualTask {
  uint64_t task_uid = 0;
  TaskPhase phase = TaskPhase::kStarting;
  int pid = 0;
};
struct ActualSet {
  int64_t desired_revision = 0;
  std::vector<ActualTask> tasks;
};

// What an agent says.
struct Register {
  NodeOffer offer;
  uint64_t highest_term = 0;
  ActualSet actual;
};
struct Heartbeat {
  int64_t sequence = 0;
};
struct ExitReport {
  uint64_t task_uid = 0;
  EndReason end;
};
struct PreflightReport {
  std::string job_id;
  uint64_t epoch = 0;
  bool ok = false;
  EndReason problem;
};
struct NodeLeaving {
  absl::Duration deadline;
  std::string reason;
};
using AgentSays =
    std::variant<Register, Heartbeat, ActualSet, ExitReport, PreflightReport, NodeLeaving>;

// What it hears.
struct Registered {
  uint64_t term = 0;
  uint64_t incarnation = 0;
  absl::Duration lease = absl::Seconds(10);
  absl::Duration heartbeat = absl::Seconds(1);
  absl::Duration orphan_timeout = absl::Minutes(30);
};
struct DesiredSet {
  uint64_t term = 0;
  int64_t revision = 0;
  bool full = false;  // else a delta on base_revision
  int64_t base_revision = 0;
  std::vector<DesiredTask> tasks;
  std::vector<uint64_t> removed;
};
struct ExitAcks {
  std::vector<uint64_t> task_uids;
};
struct PreflightOrder {
  std::string job_id;
  uint64_t epoch = 0;
  std::string assignment;
};
struct HeartbeatAck {
  int64_t sequence = 0;
  uint64_t term = 0;
};
using AgentHears = std::variant<Registered, DesiredSet, ExitAcks, PreflightOrder, HeartbeatAck>;

// What happens.
struct Start {};
struct Tick {};
struct Received {
  int64_t stream = 0;
  AgentHears message;
};
struct StreamClosed {
  int64_t stream = 0;
  absl::Status status;
};
struct TaskStarted {
  uint64_t task_uid = 0;
  int pid = 0;
};
// It ended, or could never be started.
struct TaskEnded {
  uint64_t task_uid = 0;
  EndReason end;
};
struct PreflightDone {
  PreflightReport report;
};
// SIGTERM: the node leaves; tasks have until `deadline` from now.
struct Leave {
  absl::Duration deadline = absl::Seconds(60);
  std::string reason;
};
using AgentEvent = std::variant<Start, Tick, Received, StreamClosed, TaskStarted, TaskEnded,
                                PreflightDone, Leave>;

// What the shell does, in order.
struct OpenStream {
  int64_t stream = 0;
};
struct CloseStream {
  int64_t stream = 0;
};
struct Say {
  int64_t stream = 0;
  AgentSays message;
};
struct StartTask {
  DesiredTask task;
};
// To the task's whole process group when `kill`.
struct SignalTask {
  uint64_t task_uid = 0;
  bool kill = false;  // KILL, else TERM
  std::string reason;
};
// The exit is kept by the coordinator: scratch and output files of the task may go.
struct ForgetTask {
  uint64_t task_uid = 0;
};
struct RunPreflight {
  PreflightOrder order;
};
// Nothing is left to do; the process ends.
struct ExitAgent {
  std::string reason;
};
using AgentAction = std::variant<OpenStream, CloseStream, Say, StartTask, SignalTask, ForgetTask,
                                 RunPreflight, ExitAgent>;

struct AgentCoreOptions {
  NodeOffer offer;
  SessionLinkOptions link;
  // An exit that is not acknowledged is sent again after this.
  absl::Duration exit_resend = absl::Seconds(2);
  // TERM to KILL for tasks nobody wants any more.
  absl::Duration orphan_grace = absl::Seconds(10);
};

// A value. `now` is monotonic and never goes back.
class AgentCore {
 public:
  explicit AgentCore(AgentCoreOptions options);

  std::vector<AgentAction> Step(const AgentEvent& event, absl::Duration now);

  // When the next Tick is wanted at the latest (monotonic); infinite = none.
  absl::Duration NextTick() const;

  // Every task that is alive or whose exit is not acknowledged.
  ActualSet actual() const;
  bool connected() const { return link_.open(); }
  uint64_t highest_term() const { return link_.highest_term(); }

 private:
  struct Task {
    TaskPhase phase = TaskPhase::kStarting;
    int pid = 0;
    absl::Duration kill_at = absl::InfiniteDuration();
    bool killed = false;
    EndReason end;
    absl::Duration resend_at = absl::InfiniteDuration();
  };
  using Actions = std::vector<AgentAction>;

  bool gone() const { return link_.phase() == SessionLink::Phase::kEnded; }
  void On(const Start&, Actions* actions);
  void On(const Tick&, Actions* actions);
  void On(const Received& event, Actions* actions);
  void On(const StreamClosed& event, Actions* actions);
  void On(const TaskStarted& event, Actions* actions);
  void On(const TaskEnded& event, Actions* actions);
  void On(const PreflightDone& event, Actions* actions);
  void On(const Leave& event, Actions* actions);
  void Hear(const Registered& message, Actions* actions);
  void Hear(const DesiredSet& message, Actions* actions);
  void Hear(const ExitAcks& message, Actions* actions);
  void Hear(const PreflightOrder& message, Actions* actions);
  void Hear(const HeartbeatAck& message, Actions* actions);

  void Open(Actions* actions);
  void Lose(bool close, Actions* actions);
  bool AcceptTerm(uint64_t term, Actions* actions);
  void Want(const DesiredTask& task, Actions* actions);
  void Stop(uint64_t task_uid, absl::Duration grace, const std::string& reason, Actions* actions);
  void StopEverything(absl::Duration grace, const std::string& reason, Actions* actions);
  void SendExits(bool all, Actions* actions);
  void SendTo(AgentSays message, Actions* actions);
  void ExitWhenEmpty(Actions* actions);

  const AgentCoreOptions options_;
  // Ended when nothing is left to do.
  SessionLink link_;
  absl::Duration now_ = absl::ZeroDuration();
  // When it last had a session, and how long it may be without one.
  absl::Duration orphan_timeout_ = absl::Minutes(30);
  absl::Duration orphan_at_ = absl::InfiniteDuration();

  int64_t desired_revision_ = 0;
  std::map<uint64_t, Task> tasks_;
  // Acknowledged exits, so that a late order cannot start one again. Bounded: the oldest go.
  std::set<uint64_t> finished_;
  std::map<std::pair<std::string, uint64_t>, PreflightReport> preflights_;

  bool leaving_ = false;
  std::string leaving_reason_;
  absl::Duration leave_by_ = absl::InfiniteDuration();
  absl::Duration leave_stop_at_ = absl::InfiniteDuration();
};

}  // namespace trainyard::agent

#endif  // TRAINYARD_AGENT_CORE_H_
