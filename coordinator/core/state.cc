#include "coordinator/core/state.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "coordinator/core/run_place.h"

namespace trainyard::coordinator {
namespace {

void IndexJob(State& state, const Job& job) {
  const JobRecord& record = job.record;
  if (!IsTerminal(record.state)) {
    state.live.insert(record.id);
    if (record.pipeline_id.empty()) state.live_by_name[record.name] = record.id;
  }
  IndexRunPlace(state, record);
  if (record.state == JobState::kActive) state.active.insert(record.id);
  if (record.state == JobState::kQueued) state.queue.insert(QueueKeyOf(record));
  if (record.not_before > state.last_step) state.backoff_ends.insert(record.not_before);
  if (!record.request_id.empty()) state.job_by_request[record.request_id] = record.id;
  std::string& newest = state.newest_by_name[record.name];
  const Job* other = newest.empty() ? nullptr : state.FindJob(newest);
  if (other == nullptr || other->record.created_revision <= record.created_revision) {
    newest = record.id;
  }
  for (const std::string& upstream : record.after) {
    if (Job* waited_for = state.FindJob(upstream)) waited_for->dependents.insert(record.id);
  }
}

void LoadTask(State& state, TaskRecord record, absl::Time now) {
  const uint64_t uid = record.task_uid;
  if (Job* job = state.FindJob(record.job_id)) job->tasks.insert(uid);
  if (Node* node = state.FindNode(record.node); node != nullptr && HoldsSlot(record)) {
    node->tasks.insert(uid);
  }
  Task& task = state.tasks[uid];
  task.record = std::move(record);
  task.session_lost_at = now;
}

void LoadPipeline(State& state, PipelineRecord record) {
  state.pipeline_by_request[record.request_id] = record.id;
  std::string& newest = state.newest_pipeline_by_name[record.name];
  const auto other = state.pipelines.find(newest);
  if (other == state.pipelines.end() || other->second.created_at <= record.created_at) {
    newest = record.id;
  }
  const std::string id = record.id;
  state.pipelines[id] = std::move(record);
}

}  // namespace

State::State(const CoreOptions& core_options, Snapshot snapshot, absl::Time now)
    : options(core_options),
      term(snapshot.term),
      revision(snapshot.revision),
      next_task_uid(snapshot.next_task_uid),
      last_step(now) {
  for (JobRecord& record : snapshot.jobs) {
    const std::string id = record.id;
    jobs[id].record = std::move(record);
  }
  for (const auto& [id, job] : jobs) IndexJob(*this, job);
  for (AttemptRecord& record : snapshot.attempts) {
    Job* job = FindJob(record.job_id);
    if (job != nullptr && job->attempt.number <= record.number) job->attempt = std::move(record);
  }
  const absl::Duration grace = std::max(options.start_grace, 3 * options.lease);
  for (NodeRecord& record : snapshot.nodes) {
    const std::string name = record.name;
    Node& node = nodes[name];
    node.record = std::move(record);
    node.last_heard = now;
    node.lease_until = now + grace;
  }
  for (TaskRecord& record : snapshot.tasks) LoadTask(*this, std::move(record), now);
  for (CheckpointRow& row : snapshot.checkpoints) {
    if (Job* job = FindJob(row.job_id)) job->checkpoints.push_back(std::move(row));
  }
  for (auto& [id, job] : jobs) {
    std::sort(job.checkpoints.begin(), job.checkpoints.end(),
              [](const auto& a, const auto& b) { return a.revision > b.revision; });
  }
  for (PipelineRecord& record : snapshot.pipelines) LoadPipeline(*this, std::move(record));
}

Job* State::FindJob(const std::string& id) {
  const auto it = jobs.find(id);
  return it == jobs.end() ? nullptr : &it->second;
}

const Job* State::FindJob(const std::string& id) const {
  const auto it = jobs.find(id);
  return it == jobs.end() ? nullptr : &it->second;
}

Task* State::FindTask(uint64_t task_uid) {
  const auto it = tasks.find(task_uid);
  return it == tasks.end() ? nullptr : &it->second;
}

const Task* State::FindTask(uint64_t task_uid) const {
  const auto it = tasks.find(task_uid);
  return it == tasks.end() ? nullptr : &it->second;
}

Node* State::FindNode(const std::string& name) {
  const auto it = nodes.find(name);
  return it == nodes.end() ? nullptr : &it->second;
}

const Node* State::FindNode(const std::string& name) const {
  const auto it = nodes.find(name);
  return it == nodes.end() ? nullptr : &it->second;
}

Job* State::FindJobByIdOrName(const std::string& id_or_name) {
  if (Job* job = FindJob(id_or_name)) return job;
  const auto it = newest_by_name.find(id_or_name);
  return it == newest_by_name.end() ? nullptr : FindJob(it->second);
}

QueueKey QueueKeyOf(const JobRecord& record) {
  return {-record.shape->priority, record.created_revision, record.id};
}

const RoleShape* FindRole(const JobShape& shape, const std::string& name) {
  for (const RoleShape& role : shape.roles) {
    if (role.name == name) return &role;
  }
  return nullptr;
}

int WantedCount(const JobRecord& record, const RoleShape& role) {
  if (!role.elastic) return role.count;
  const auto it = record.wanted.find(role.name);
  return it == record.wanted.end() ? role.count : it->second;
}

std::string TaskName(const TaskRecord& record) {
  return absl::StrCat(record.role, "/", record.index);
}

}  // namespace trainyard::coordinator
