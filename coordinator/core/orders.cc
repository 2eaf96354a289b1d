#include "coordinator/core/orders.h"

#include <algorithm>
#include <memory>
#include <tuple>
#include <utility>

#include "coordinator/core/attempt.h"

namespace trainyard::coordinator {
namespace {

DesiredTask DesiredFor(const State& state, const Job& job, const TaskRecord& task) {
  DesiredTask desired;
  desired.task_uid = task.task_uid;
  desired.stop = task.stop;
  desired.grace = task.stop_grace;
  if (!task.stop) {
    desired.assignment = MakeAssignment(state, job, task);
    return desired;
  }
  desired.assignment.task_uid = task.task_uid;
  desired.assignment.job_id = task.job_id;
  desired.assignment.role = task.role;
  desired.assignment.index = task.index;
  return desired;
}

absl::Time PeersDueAt(const State& state, const Job& job) {
  return job.told.told_at + state.options.peer_spacing * static_cast<int64_t>(job.tasks.size());
}

void SendPeers(Draft& draft, Job& job) {
  State& state = draft.state();
  std::vector<Peer> peers = PeersOf(state, job);
  if (job.told.peers == nullptr || *job.told.peers != peers) {
    job.told.peers = std::make_shared<const std::vector<Peer>>(std::move(peers));
    job.told.revision = draft.LevelRevision();
  }
  job.told.told_at = draft.now();
  for (uint64_t uid : job.tasks) {
    Task& task = state.tasks.at(uid);
    const bool knows = task.peers_told == job.told.revision;
    if (task.record.attempt != job.attempt.number || task.session == 0 || knows) continue;
    task.peers_told = job.told.revision;
    draft.Send(task.session, PeerSet{job.told.revision, job.told.peers});
  }
}

}  // namespace

std::vector<DesiredTask> DesiredOn(const State& state, const Node& node) {
  std::vector<DesiredTask> tasks;
  for (uint64_t uid : node.tasks) {
    const TaskRecord& task = state.tasks.at(uid).record;
    const Job& job = *state.FindJob(task.job_id);
    const bool placed =
        job.attempt.number == task.attempt && job.attempt.state == AttemptState::kPlaced;
    if (!placed) tasks.push_back(DesiredFor(state, job, task));
  }
  return tasks;
}

std::vector<Peer> PeersOf(const State& state, const Job& job) {
  std::vector<Peer> peers;
  for (uint64_t uid : job.tasks) {
    const TaskRecord& task = state.tasks.at(uid).record;
    if (task.attempt != job.attempt.number || !Reachable(task)) continue;
    const bool ready = task.state == TaskState::kReady || task.state == TaskState::kRunning ||
                       (task.stop && !task.endpoint.empty());
    peers.push_back({uid, task.role, task.index, ready ? task.endpoint : "", ready, task.stop,
                     task.node, task.numerics_id});
  }
  std::sort(peers.begin(), peers.end(), [](const Peer& a, const Peer& b) {
    return std::tie(a.role, a.index, a.task_uid) < std::tie(b.role, b.index, b.task_uid);
  });
  return peers;
}

void SendLevels(Draft& draft) {
  State& state = draft.state();
  for (const std::string& name : draft.TakeRedesired()) {
    const Node* node = state.FindNode(name);
    if (node == nullptr || node->session == 0) continue;
    draft.Send(node->session,
               DesiredSet{state.term, draft.LevelRevision(), DesiredOn(state, *node)});
  }
  for (auto next = state.repeered.begin(); next != state.repeered.end();) {
    Job* job = state.FindJob(*next);
    const bool active = job->record.state == JobState::kActive;
    if (active && PeersDueAt(state, *job) > draft.now()) {
      ++next;
      continue;
    }
    if (active) SendPeers(draft, *job);
    next = state.repeered.erase(next);
  }
}

absl::Time LevelsDueAt(const State& state) {
  absl::Time due = absl::InfiniteFuture();
  for (const std::string& id : state.repeered) {
    due = std::min(due, PeersDueAt(state, *state.FindJob(id)));
  }
  return due;
}

}  // namespace trainyard::coordinator
