#include "coordinator/job_board.h"

#include <set>

namespace trainyard::coordinator {
namespace {

bool Speaks(const TaskRecord& task, const JobShape& shape) {
  if (task.index != 0) return false;
  for (const RoleShape& role : shape.roles) {
    if (role.name == "controller") return task.role == "controller";
  }
  return task.role == "trainer" || task.role == "learner";
}

}  // namespace

JobBoard::JobBoard(const Snapshot& snapshot) {
  absl::MutexLock lock(&mutex_);
  for (const JobRecord& job : snapshot.jobs) {
    if (!IsTerminal(job.state)) Put(job);
  }
  for (const AttemptRecord& attempt : snapshot.attempts) Put(attempt);
  for (const TaskRecord& task : snapshot.tasks) Put(task);
}

void JobBoard::Put(const JobRecord& job) {
  JobView& view = jobs_[job.id];
  if (view.job.attempt != job.attempt) {
    view.attempt.reset();
    view.tasks.clear();
    view.progress.clear();
    view.speaker = 0;
  }
  view.job = job;
}

void JobBoard::Put(const AttemptRecord& attempt) {
  const auto it = jobs_.find(attempt.job_id);
  if (it != jobs_.end() && it->second.job.attempt == attempt.number) it->second.attempt = attempt;
}

void JobBoard::Put(const TaskRecord& task) {
  const auto it = jobs_.find(task.job_id);
  if (it == jobs_.end() || it->second.job.attempt != task.attempt) return;
  it->second.tasks[task.task_uid] = task;
  if (it->second.job.shape != nullptr && Speaks(task, *it->second.job.shape)) {
    it->second.speaker = task.task_uid;
  }
}

std::vector<JobView> JobBoard::Apply(const Batch& batch) {
  absl::MutexLock lock(&mutex_);
  std::set<std::string> touched;
  // Jobs first: they say which attempt is the current one.
  for (const JobRecord& job : batch.jobs) {
    Put(job);
    touched.insert(job.id);
  }
  for (const AttemptRecord& attempt : batch.attempts) {
    Put(attempt);
    touched.insert(attempt.job_id);
  }
  for (const TaskRecord& task : batch.tasks) {
    Put(task);
    touched.insert(task.job_id);
  }
  std::vector<JobView> views;
  for (const std::string& id : touched) {
    const auto it = jobs_.find(id);
    if (it == jobs_.end()) continue;
    views.push_back(it->second);
    if (IsTerminal(it->second.job.state)) {
      jobs_.erase(it);
      changed_.erase(id);
    }
  }
  return views;
}

void JobBoard::Observe(const LiveProgress& progress) {
  absl::MutexLock lock(&mutex_);
  const auto it = jobs_.find(progress.job_id);
  if (it == jobs_.end()) return;
  it->second.progress[progress.task_uid] = progress.progress;
  changed_[progress.job_id] = true;
}

bool JobBoard::Observe(const std::string& job_id, uint64_t task_uid,
                       const std::map<std::string, double>& metrics) {
  absl::MutexLock lock(&mutex_);
  const auto it = jobs_.find(job_id);
  if (it == jobs_.end() || it->second.speaker != task_uid) return false;
  for (const auto& [name, value] : metrics) it->second.metrics[name] = value;
  changed_[job_id] = true;
  return true;
}

std::optional<JobView> JobBoard::Find(const std::string& job_id) const {
  absl::MutexLock lock(&mutex_);
  const auto it = jobs_.find(job_id);
  if (it == jobs_.end()) return std::nullopt;
  return it->second;
}

std::vector<std::string> JobBoard::TakeChanged() {
  absl::MutexLock lock(&mutex_);
  std::vector<std::string> ids;
  for (const auto& [id, unused] : changed_) ids.push_back(id);
  changed_.clear();
  return ids;
}

}  // namespace trainyard::coordinator
