#include "tests/simulation/translate.h"

#include <variant>

#include "absl/strings/str_cat.h"

namespace trainyard::simulation {
namespace {

using coordinator::SessionId;
using coordinator::TaskState;

std::vector<coordinator::ActualTask> Tasks(const agent::ActualSet& set) {
  std::vector<coordinator::ActualTask> tasks;
  for (const agent::ActualTask& task : set.tasks) {
    TaskState state = TaskState::kStarting;
    if (task.phase == agent::TaskPhase::kStopping) state = TaskState::kStopping;
    if (task.phase == agent::TaskPhase::kExited) state = TaskState::kExited;
    tasks.push_back({task.task_uid, state});
  }
  return tasks;
}

coordinator::NodeOffer Offer(const agent::NodeOffer& offer) {
  coordinator::NodeOffer result;
  result.host = offer.host;
  result.advertise = offer.advertise;
  for (const auto& gpu : offer.gpus) result.gpus.push_back({gpu.uuid, gpu.kind, gpu.memory_bytes});
  result.cpu_milli = offer.cpu_milli;
  result.memory_bytes = offer.memory_bytes;
  result.labels = offer.labels;
  for (const auto& root : offer.roots) result.roots[root.name] = root.cluster_id;
  result.version = offer.version;
  return result;
}

struct FromAgent {
  SessionId session;

  coordinator::Event operator()(const agent::Register& m) {
    return coordinator::AgentRegister{session,        m.offer.node,   m.offer.process_nonce,
                                      Offer(m.offer), m.highest_term, Tasks(m.actual)};
  }
  coordinator::Event operator()(const agent::Heartbeat& m) {
    return coordinator::AgentHeartbeat{session, m.sequence};
  }
  coordinator::Event operator()(const agent::ActualSet& m) {
    return coordinator::AgentActualSet{session, m.desired_revision, Tasks(m)};
  }
  coordinator::Event operator()(const agent::ExitReport& m) {
    return coordinator::AgentTaskExit{session, m.task_uid, m.end};
  }
  coordinator::Event operator()(const agent::PreflightReport& m) {
    return coordinator::AgentPreflight{session, m.job_id, m.epoch, m.ok, m.problem};
  }
  coordinator::Event operator()(const agent::NodeLeaving& m) {
    return coordinator::AgentLeaving{session, m.deadline, m.reason};
  }
};

struct FromTask {
  SessionId session;
  using Result = std::optional<coordinator::Event>;

  Result operator()(const task::Hello& m) {
    return coordinator::TaskHello{session,        m.job_id,      m.epoch,    m.task_uid, m.secret,
                                  m.highest_term, m.numerics_id, m.endpoint, m.ready};
  }
  Result operator()(const task::ReadyNotice& m) {
    return coordinator::TaskReady{session, m.endpoint, m.numerics_id};
  }
  Result operator()(const task::Progress& m) {
    return coordinator::TaskProgress{
        session,
        {m.phase, m.step, m.total_steps, m.tokens_per_second, m.headline, m.headline_name}};
  }
  Result operator()(const task::StepMetrics&) { return std::nullopt; }
  Result operator()(const EndReason& m) { return coordinator::TaskEnd{session, m}; }
  Result operator()(const task::Heartbeat& m) {
    return coordinator::TaskHeartbeat{session, m.sequence};
  }
};

agent::DesiredSet ToDesired(const coordinator::DesiredSet& set) {
  agent::DesiredSet result;
  result.term = set.term;
  result.revision = set.revision;
  result.full = true;
  for (const coordinator::DesiredTask& task : set.tasks) {
    agent::DesiredTask desired;
    desired.task_uid = task.task_uid;
    desired.stop = task.stop;
    desired.grace = task.grace;
    desired.cpu_milli = task.assignment.resources.cpu_milli;
    desired.memory_bytes = task.assignment.resources.memory_bytes;
    desired.gpus = task.assignment.gpus;
    result.tasks.push_back(std::move(desired));
  }
  return result;
}

}  // namespace

coordinator::Event ToEvent(SessionId session, const agent::AgentSays& message) {
  return std::visit(FromAgent{session}, message);
}

std::optional<coordinator::Event> ToEvent(SessionId session, const task::TaskSays& message) {
  return std::visit(FromTask{session}, message);
}

std::optional<agent::AgentHears> ToAgent(const coordinator::Order& order) {
  if (const auto* m = std::get_if<coordinator::AgentRegistered>(&order)) {
    return agent::Registered{m->term, m->incarnation, m->lease, m->heartbeat_interval,
                             m->orphan_timeout};
  }
  if (const auto* m = std::get_if<coordinator::DesiredSet>(&order)) return ToDesired(*m);
  if (const auto* m = std::get_if<coordinator::ExitAcks>(&order)) {
    return agent::ExitAcks{m->task_uids};
  }
  if (const auto* m = std::get_if<coordinator::PreflightOrder>(&order)) {
    return agent::PreflightOrder{m->job_id, m->epoch, ""};
  }
  if (const auto* m = std::get_if<coordinator::HeartbeatAck>(&order)) {
    return agent::HeartbeatAck{m->sequence, m->term};
  }
  return std::nullopt;
}

std::optional<task::TaskHears> ToTask(const coordinator::Order& order) {
  if (const auto* m = std::get_if<coordinator::TaskWelcome>(&order)) {
    return task::Welcome{m->term, m->heartbeat_interval};
  }
  if (const auto* m = std::get_if<coordinator::PeerSet>(&order)) {
    task::PeerSnapshot peers;
    peers.revision = m->revision;
    for (const coordinator::Peer& peer : *m->peers) {
      peers.peers.push_back({peer.task_uid, peer.role, peer.index, peer.endpoint, peer.ready,
                             peer.draining, peer.node, peer.numerics_id});
    }
    return peers;
  }
  if (const auto* m = std::get_if<coordinator::StopOrder>(&order)) {
    return task::StopOrder{m->checkpoint, m->grace, m->reason};
  }
  if (const auto* m = std::get_if<coordinator::HeartbeatAck>(&order)) {
    return task::HeartbeatAck{m->sequence, m->term};
  }
  if (std::holds_alternative<coordinator::EndAck>(order)) return task::EndAck{};
  return std::nullopt;
}

}  // namespace trainyard::simulation
