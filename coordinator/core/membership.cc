#include "coordinator/core/membership.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/status.h"
#include "coordinator/core/attempt.h"
#include "coordinator/core/elastic.h"

namespace trainyard::coordinator {
namespace {

// The node behind a stream; closes the stream when there is none.
Node* NodeOf(Draft& draft, SessionId session) {
  State& state = draft.state();
  const auto it = state.agent_sessions.find(session);
  if (it == state.agent_sessions.end()) {
    draft.Send(session, CloseSession{absl::AbortedError("this session is over: register again")});
    return nullptr;
  }
  Node* node = state.FindNode(it->second);
  node->last_heard = draft.now();
  node->lease_until = draft.now() + draft.options().lease;
  return node;
}

void DropSession(Draft& draft, Node& node, const absl::Status& why) {
  if (node.session == 0) return;
  draft.state().agent_sessions.erase(node.session);
  draft.Send(node.session, CloseSession{why});
  node.session = 0;
}

bool AttemptPlaced(const State& state, const TaskRecord& task) {
  const Job* job = state.FindJob(task.job_id);
  return job->attempt.number == task.attempt && job->attempt.state == AttemptState::kPlaced;
}

void ExitTask(Draft& draft, Task& task, EndReason end) {
  const bool was_lost = task.record.state == TaskState::kLost;
  if (!was_lost || task.record.end.end_class == EndClass::kUnspecified) {
    draft.Edit(task).end = std::move(end);
  }
  const EndReason& kept = task.record.end;
  if (!draft.MoveTask(task, TaskMove::kExit)) return;
  RecordSeat(draft, task, false);
  if (const Job* job = draft.state().FindJob(task.record.job_id)) {
    draft.NoteJob(
        "task.exited", *job,
        absl::StrCat(TaskName(task.record), " (", task.record.task_uid, ") on ", task.record.node,
                     ": ", EndClassName(kept.end_class), " ", kept.message));
  }
}

void LoseTask(Draft& draft, Task& task, const std::string& why) {
  if (!Reachable(task.record)) return;
  // No agent was ever told of it, so none can run it.
  if (AttemptPlaced(draft.state(), task.record)) {
    ExitTask(draft, task, {EndClass::kNodeLost, why});
    return;
  }
  TaskRecord& record = draft.Edit(task);
  record.end = {EndClass::kNodeLost, why};
  draft.MoveTask(task, TaskMove::kLose);
  RecordSeat(draft, task, false);
  record.stop = true;
  record.stop_grace = draft.options().failure_grace;
  record.stop_reason = why;
}

// What the agent has tells which tasks it does not have (any more).
void CompareActual(Draft& draft, Node& node, const std::vector<ActualTask>& actual) {
  State& state = draft.state();
  std::map<uint64_t, TaskState> has;
  for (const ActualTask& task : actual) has[task.task_uid] = task.state;
  for (uint64_t uid : std::set<uint64_t>(node.tasks)) {
    Task& task = *state.FindTask(uid);
    if (AttemptPlaced(state, task.record)) {
      draft.Edit(task).node_incarnation = node.record.incarnation;
      continue;
    }
    const auto it = has.find(uid);
    if (it != has.end()) {
      draft.MoveTask(task, TaskMove::kStarted);
      continue;
    }
    if (task.record.node_incarnation != node.record.incarnation) {
      ExitTask(draft, task, {EndClass::kNodeLost, "its agent started anew"});
    } else if (task.record.started_at != absl::InfinitePast()) {
      ExitTask(draft, task, {EndClass::kSignal, "its agent does not have it any more"});
    } else if (task.record.state == TaskState::kLost) {
      ExitTask(draft, task, {EndClass::kNodeLost, "its agent never started it"});
    }
  }
}

// A root is one storage for everybody who proves it.
absl::Status CheckRoots(const State& state, const AgentRegister& event) {
  for (const auto& [name, node] : state.nodes) {
    if (name == event.node || node.session == 0) continue;
    for (const auto& [root, cluster_id] : event.offer.roots) {
      const auto it = node.record.offer.roots.find(root);
      if (it == node.record.offer.roots.end() || it->second == cluster_id) continue;
      return absl::FailedPreconditionError(absl::StrCat(
          "root '", root, "' on node ", event.node, " is other storage (cluster id ", cluster_id,
          ") than on node ", name, " (", it->second, "): give it another name, or mount the same"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckRegister(Draft& draft, const AgentRegister& event) {
  const State& state = draft.state();
  TY_RETURN_IF_ERROR(ValidateName("node", event.node));
  if (event.highest_term > state.term) {
    return absl::FailedPreconditionError(
        absl::StrCat("this coordinator has term ", state.term, ", but a newer one with term ",
                     event.highest_term, " was seen: connect to that one"));
  }
  TY_RETURN_IF_ERROR(CheckRoots(state, event));
  const Node* node = state.FindNode(event.node);
  if (node != nullptr && event.session < node->newest_session) {
    return absl::AbortedError("the agent opened a newer session");
  }
  if (node == nullptr || node->record.process_nonce == event.process_nonce) {
    return absl::OkStatus();
  }
  const bool leased = node->record.state != NodeState::kLost && draft.now() < node->lease_until;
  const bool same_host = node->record.offer.host == event.offer.host;
  if (!leased || (same_host && node->session == 0)) return absl::OkStatus();
  return absl::AlreadyExistsError(
      absl::StrCat("node ", event.node, " is served by an agent on host ", node->record.offer.host,
                   "; a second one on host ", event.offer.host, " needs another node name"));
}

Node& Enrol(Draft& draft, const AgentRegister& event) {
  Node* known = draft.state().FindNode(event.node);
  Node& node = known != nullptr ? *known : draft.AddNode({event.node});
  const bool anew =
      node.record.incarnation == 0 || node.record.process_nonce != event.process_nonce;
  const bool back = node.record.state == NodeState::kLost;
  if (anew || back || !(node.record.offer == event.offer)) {
    NodeRecord& record = draft.Edit(node);
    if (anew) ++record.incarnation;
    if (anew || back) record.state = NodeState::kAlive;
    record.process_nonce = event.process_nonce;
    record.offer = event.offer;
    record.registered_at = draft.now();
    draft.NoteNode(
        "node.registered", node,
        absl::StrCat("incarnation ", record.incarnation, " on host ", record.offer.host, ": ",
                     record.offer.gpus.size(), " gpus, ", record.offer.cpu_milli, " milli-cpu"));
  }
  return node;
}

void DrainTasks(Draft& draft, Node& node, absl::Duration deadline, const std::string& why) {
  StopPlan plan{{EndClass::kDrained, why}, std::min(deadline, draft.options().pause_grace), true};
  for (uint64_t uid : std::set<uint64_t>(node.tasks)) {
    Task& task = *draft.state().FindTask(uid);
    if (!Reachable(task.record)) continue;
    Job& job = *draft.state().FindJob(task.record.job_id);
    const bool gang_starts = job.attempt.state == AttemptState::kPlaced;
    if (task.record.elastic && !gang_starts) {
      StopTask(draft, task, plan);
    } else if (job.attempt.state != AttemptState::kStopping) {
      BeginStop(draft, job, plan);
    }
  }
  draft.state().schedule = true;
}

void LoseNode(Draft& draft, Node& node, const std::string& why) {
  draft.Edit(node).state = NodeState::kLost;
  draft.NoteNode("node.lost", node, why);
  DropSession(draft, node, absl::AbortedError(absl::StrCat(why, ": register again")));
  for (uint64_t uid : std::set<uint64_t>(node.tasks)) {
    LoseTask(draft, *draft.state().FindTask(uid),
             absl::StrCat("node ", node.record.name, ": ", why));
  }
}

Node* NodeForUser(Draft& draft, CallId call, const std::string& name) {
  Node* node = draft.state().FindNode(name);
  if (node == nullptr) {
    draft.Refuse(call, absl::NotFoundError(absl::StrCat("there is no node '", name, "'")),
                 "NO_SUCH_NODE");
  }
  return node;
}

void Cordon(Draft& draft, Node& node, bool cordoned) {
  if (node.record.cordoned == cordoned) return;
  draft.Edit(node).cordoned = cordoned;
  draft.NoteNode(cordoned ? "node.cordoned" : "node.uncordoned", node, "by a user");
  draft.state().schedule = true;
}

}  // namespace

void OnAgentRegister(Draft& draft, const AgentRegister& event) {
  State& state = draft.state();
  if (const absl::Status status = CheckRegister(draft, event); !status.ok()) {
    draft.Send(event.session, CloseSession{status});
    return;
  }
  Node& node = Enrol(draft, event);
  DropSession(draft, node, absl::CancelledError("the agent opened a newer session"));
  node.session = node.newest_session = event.session;
  node.last_heard = draft.now();
  node.lease_until = draft.now() + draft.options().lease;
  state.agent_sessions[event.session] = event.node;
  const CoreOptions& options = draft.options();
  draft.Send(event.session, AgentRegistered{state.term, node.record.incarnation, options.lease,
                                            options.heartbeat_interval, options.orphan_timeout});
  CompareActual(draft, node, event.actual);
  draft.Redesire(event.node);
  state.schedule = true;
  for (uint64_t uid : node.tasks) {
    Job& job = *state.FindJob(state.tasks.at(uid).record.job_id);
    if (!job.tasks.empty() && *job.tasks.begin() == uid) ResendPreflight(draft, job);
  }
}

void OnAgentHeartbeat(Draft& draft, const AgentHeartbeat& event) {
  if (NodeOf(draft, event.session) == nullptr) return;
  draft.SendNow(event.session, HeartbeatAck{event.sequence, draft.state().term});
}

void OnAgentActualSet(Draft& draft, const AgentActualSet& event) {
  const Node* node = NodeOf(draft, event.session);
  if (node == nullptr) return;
  for (const ActualTask& actual : event.tasks) {
    Task* task = draft.state().FindTask(actual.task_uid);
    if (task == nullptr || task->record.node != node->record.name) continue;
    draft.MoveTask(*task, TaskMove::kStarted);
  }
}

void OnAgentTaskExit(Draft& draft, const AgentTaskExit& event) {
  const Node* node = NodeOf(draft, event.session);
  if (node == nullptr) return;
  Task* task = draft.state().FindTask(event.task_uid);
  if (task != nullptr && task->record.node == node->record.name) {
    ExitTask(draft, *task, event.end);
  }
  draft.Send(event.session, ExitAcks{{event.task_uid}});
}

void OnAgentPreflight(Draft& draft, const AgentPreflight& event) {
  if (NodeOf(draft, event.session) == nullptr) return;
  Job* job = draft.state().FindJob(event.job_id);
  const bool current = job != nullptr && job->record.state == JobState::kActive &&
                       job->attempt.epoch == event.epoch &&
                       job->attempt.state == AttemptState::kPlaced;
  if (!current) return;
  if (event.ok) {
    BeginStarting(draft, *job);
    draft.Stir(event.job_id);
    return;
  }
  draft.NoteJob("attempt.failed", *job, absl::StrCat("preflight: ", event.problem.message));
  BeginStop(draft, *job, {event.problem, draft.options().failure_grace, false});
}

void OnAgentLeaving(Draft& draft, const AgentLeaving& event) {
  Node* node = NodeOf(draft, event.session);
  if (node == nullptr || node->record.state == NodeState::kLeaving) return;
  draft.Edit(*node).state = NodeState::kLeaving;
  draft.NoteNode("node.leaving", *node, event.reason);
  DrainTasks(draft, *node, event.deadline,
             absl::StrCat("node ", node->record.name, " leaves: ", event.reason));
}

void OnAgentSessionLost(Draft& draft, const AgentSessionLost& event) {
  State& state = draft.state();
  const auto it = state.agent_sessions.find(event.session);
  if (it == state.agent_sessions.end()) return;
  Node& node = *state.FindNode(it->second);
  state.agent_sessions.erase(it);
  node.session = 0;
  if (node.record.state == NodeState::kLeaving && node.tasks.empty()) LoseNode(draft, node, "left");
}

void OnCordonNode(Draft& draft, const CordonNode& event) {
  draft.SetPrincipal(event.principal);
  Node* node = NodeForUser(draft, event.call, event.node);
  if (node == nullptr) return;
  Cordon(draft, *node, !event.uncordon);
  draft.AnswerNode(event.call, event.node);
}

void OnDrainNode(Draft& draft, const DrainNode& event) {
  draft.SetPrincipal(event.principal);
  Node* node = NodeForUser(draft, event.call, event.node);
  if (node == nullptr) return;
  Cordon(draft, *node, true);
  draft.NoteNode("node.drained", *node, "by a user");
  DrainTasks(draft, *node, event.deadline, absl::StrCat("node ", event.node, " is drained"));
  draft.AnswerNode(event.call, event.node);
}

void ExpireLeases(Draft& draft) {
  for (auto& [name, node] : draft.state().nodes) {
    if (node.record.state == NodeState::kLost || draft.now() < node.lease_until) continue;
    LoseNode(
        draft, node,
        absl::StrCat("no heartbeat for ", absl::FormatDuration(draft.now() - node.last_heard)));
  }
}

void StretchLeases(State& state, absl::Duration gap) {
  for (auto& [name, node] : state.nodes) node.lease_until += gap;
}

}  // namespace trainyard::coordinator
