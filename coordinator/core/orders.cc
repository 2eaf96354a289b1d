#include "coordinator/core/orders.h"

#include <algorithm>
#include <tuple>

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

void SendPeers(Draft& draft, const Job& job) {
  const State& state = draft.state();
  PeerSet set{draft.LevelRevision(), PeersOf(state, job)};
  for (uint64_t uid : job.tasks) {
    const Task& task = state.tasks.at(uid);
    if (task.record.attempt == job.attempt.number) draft.Send(task.session, set);
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
  for (const std::string& id : draft.TakeRepeered()) {
    const Job* job = state.FindJob(id);
    if (job->record.state == JobState::kActive) SendPeers(draft, *job);
  }
}

}  // namespace trainyard::coordinator
