#include "tests/support/sim_store.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "coordinator/store_queries.h"

namespace trainyard::coordinator {
namespace {

template <typename Map, typename Key>
auto Find(const Map& map, const Key& key, const std::string& what)
    -> absl::StatusOr<typename Map::mapped_type> {
  const auto it = map.find(key);
  if (it != map.end()) return it->second;
  return absl::NotFoundError(absl::StrCat("there is no ", what));
}

auto SubmissionOf(const JobRecord& job) { return std::make_pair(job.created_revision, job.id); }

bool Matches(const JobRecord& job, const JobFilter& filter) {
  const auto equal = [](const std::string& wanted, const std::string& value) {
    return wanted.empty() || wanted == value;
  };
  if (filter.state.has_value() && *filter.state != job.state) return false;
  for (const auto& [key, value] : filter.labels) {
    const auto it = job.shape->labels.find(key);
    if (it == job.shape->labels.end() || it->second != value) return false;
  }
  return equal(filter.kind, job.shape->kind) && equal(filter.name, job.name) &&
         equal(filter.pipeline_id, job.pipeline_id);
}

}  // namespace

SimStore::SimStore(SimDisk* disk, DurableListener on_durable)
    : disk_(*disk), on_durable_(std::move(on_durable)), term_(++disk->term) {}

void SimStore::Sync(size_t count) {
  if (failed_ || queue_.empty()) return;
  absl::Status status;
  for (; count > 0 && !queue_.empty() && status.ok(); --count) {
    status = Apply(*queue_.front());
    queue_.pop_front();
  }
  if (!status.ok()) return Fail(status);
  on_durable_(disk_.revision);
}

void SimStore::Crash(size_t survive) {
  for (; survive > 0 && !queue_.empty() && !failed_; --survive) {
    if (!Apply(*queue_.front()).ok()) break;
    queue_.pop_front();
  }
  queue_.clear();
  failed_ = true;
}

void SimStore::Fail(const absl::Status& status) {
  failed_ = true;
  queue_.clear();
  on_durable_(status);
}

void SimStore::Write(std::shared_ptr<const Batch> batch) {
  if (!failed_) queue_.push_back(std::move(batch));
}

absl::Status SimStore::Apply(const Batch& batch) {
  if (batch.term != disk_.term || batch.revision != disk_.revision + 1) {
    return absl::FailedPreconditionError(absl::StrCat(
        "batch of term ", batch.term, " and revision ", batch.revision,
        " does not follow: the store is at term ", disk_.term, " and revision ", disk_.revision));
  }
  disk_.revision = batch.revision;
  disk_.next_task_uid = batch.next_task_uid;
  for (const auto& row : batch.jobs) disk_.jobs[row.id] = row;
  for (const auto& row : batch.attempts) disk_.attempts[{row.job_id, row.number}] = row;
  for (const auto& row : batch.tasks) disk_.tasks[row.task_uid] = row;
  for (const auto& row : batch.nodes) disk_.nodes[row.name] = row;
  for (const auto& row : batch.removed_checkpoints) {
    disk_.checkpoints.erase({row.job_id, row.request_id});
  }
  for (const auto& row : batch.checkpoints) disk_.checkpoints[{row.job_id, row.request_id}] = row;
  for (const auto& row : batch.artifacts) disk_.artifacts[{row.job_id, row.name}] = row;
  for (const auto& row : batch.pipelines) disk_.pipelines[row.id] = row;
  disk_.events.insert(disk_.events.end(), batch.events.begin(), batch.events.end());
  return absl::OkStatus();
}

absl::StatusOr<Snapshot> SimStore::Load() {
  Snapshot snapshot;
  snapshot.term = disk_.term;
  snapshot.revision = disk_.revision;
  snapshot.next_task_uid = disk_.next_task_uid;
  for (const auto& [id, job] : disk_.jobs) {
    snapshot.jobs.push_back(job);
    const auto attempt = disk_.attempts.find({id, job.attempt});
    if (attempt != disk_.attempts.end()) snapshot.attempts.push_back(attempt->second);
  }
  for (const auto& [uid, task] : disk_.tasks) {
    const JobRecord& job = disk_.jobs.at(task.job_id);
    const bool current = job.state == JobState::kActive && job.attempt == task.attempt;
    if (task.state != TaskState::kExited || current) snapshot.tasks.push_back(task);
  }
  for (const auto& [name, node] : disk_.nodes) snapshot.nodes.push_back(node);
  for (const auto& [key, row] : disk_.checkpoints) snapshot.checkpoints.push_back(row);
  for (const auto& [id, pipeline] : disk_.pipelines) snapshot.pipelines.push_back(pipeline);
  return snapshot;
}

absl::StatusOr<JobRecord> SimStore::GetJob(const std::string& id) const {
  return Find(disk_.jobs, id, absl::StrCat("job '", id, "'"));
}

absl::StatusOr<JobRecord> SimStore::FindJob(const std::string& id_or_name) const {
  auto by_id = GetJob(id_or_name);
  if (by_id.ok()) return by_id;
  const JobRecord* newest = nullptr;
  for (const auto& [id, job] : disk_.jobs) {
    if (job.name != id_or_name) continue;
    if (newest == nullptr || SubmissionOf(job) > SubmissionOf(*newest)) newest = &job;
  }
  if (newest == nullptr) return by_id;
  return *newest;
}

absl::StatusOr<PipelineRecord> SimStore::FindPipeline(const std::string& id_or_name) const {
  auto by_id = Find(disk_.pipelines, id_or_name, absl::StrCat("pipeline '", id_or_name, "'"));
  if (by_id.ok()) return by_id;
  const PipelineRecord* newest = nullptr;
  for (const auto& [id, pipeline] : disk_.pipelines) {
    if (pipeline.name != id_or_name) continue;
    if (newest == nullptr || pipeline.revision > newest->revision) newest = &pipeline;
  }
  if (newest == nullptr) return by_id;
  return *newest;
}

absl::StatusOr<TaskRecord> SimStore::GetTask(uint64_t task_uid) const {
  return Find(disk_.tasks, task_uid, absl::StrCat("task ", task_uid));
}

absl::StatusOr<JobPage> SimStore::ListJobs(const JobFilter& filter, const PageRequest& page) const {
  std::vector<JobRecord> jobs;
  for (const auto& [id, job] : disk_.jobs) {
    if (Matches(job, filter)) jobs.push_back(job);
  }
  std::sort(jobs.begin(), jobs.end(), [](const JobRecord& a, const JobRecord& b) {
    return SubmissionOf(a) > SubmissionOf(b);
  });
  if (!page.after.empty()) {
    TY_ASSIGN_OR_RETURN(const auto after, ParsePageKey(page.after));
    jobs.erase(std::remove_if(jobs.begin(), jobs.end(),
                              [&](const JobRecord& job) { return SubmissionOf(job) >= after; }),
               jobs.end());
  }
  JobPage result;
  result.revision = disk_.revision;
  const size_t size = page.size > 0 ? page.size : 50;
  if (jobs.size() > size) {
    jobs.resize(size);
    result.next = PageKey(jobs.back().created_revision, jobs.back().id);
  }
  result.jobs = std::move(jobs);
  return result;
}

absl::StatusOr<std::vector<AttemptRecord>> SimStore::ListAttempts(const std::string& job) const {
  std::vector<AttemptRecord> attempts;
  for (const auto& [key, attempt] : disk_.attempts) {
    if (key.first == job) attempts.push_back(attempt);
  }
  return attempts;
}

absl::StatusOr<std::vector<TaskRecord>> SimStore::ListTasks(const std::string& job,
                                                            int attempt) const {
  std::vector<TaskRecord> tasks;
  for (const auto& [uid, task] : disk_.tasks) {
    if (task.job_id == job && task.attempt == attempt) tasks.push_back(task);
  }
  std::sort(tasks.begin(), tasks.end(), [](const TaskRecord& a, const TaskRecord& b) {
    return std::tie(a.role, a.index, a.task_uid) < std::tie(b.role, b.index, b.task_uid);
  });
  return tasks;
}

absl::StatusOr<std::vector<CheckpointRow>> SimStore::ListCheckpoints(const std::string& job) const {
  std::vector<CheckpointRow> rows;
  for (const auto& [key, row] : disk_.checkpoints) {
    if (key.first == job) rows.push_back(row);
  }
  std::sort(rows.begin(), rows.end(),
            [](const CheckpointRow& a, const CheckpointRow& b) { return a.revision > b.revision; });
  return rows;
}

absl::StatusOr<std::vector<ArtifactRow>> SimStore::ListArtifacts(const std::string& job) const {
  std::vector<ArtifactRow> rows;
  for (const auto& [key, row] : disk_.artifacts) {
    if (key.first == job) rows.push_back(row);
  }
  return rows;
}

absl::StatusOr<std::vector<ArtifactRow>> SimStore::ListAllArtifacts(int limit) const {
  std::vector<ArtifactRow> rows;
  for (const auto& [key, row] : disk_.artifacts) rows.push_back(row);
  std::sort(rows.begin(), rows.end(), [](const ArtifactRow& a, const ArtifactRow& b) {
    return std::make_pair(-a.revision, a.name) < std::make_pair(-b.revision, b.name);
  });
  if (static_cast<int>(rows.size()) > limit) rows.resize(limit);
  return rows;
}

absl::StatusOr<std::map<std::string, int64_t>> SimStore::CountJobsByState() const {
  std::map<std::string, int64_t> counts;
  for (const auto& [id, job] : disk_.jobs) ++counts[std::string(JobStateName(job.state))];
  return counts;
}

absl::StatusOr<EventPage> SimStore::EventsSince(int64_t revision, const std::string& job,
                                                int limit) const {
  EventPage page;
  page.next_revision = revision;
  for (const EventRow& event : disk_.events) {
    if (event.revision <= revision || (!job.empty() && event.job_id != job)) continue;
    const bool full = static_cast<int>(page.events.size()) >= std::max(limit, 1);
    if (full && page.events.back().revision != event.revision) break;
    page.events.push_back(event);
  }
  if (!page.events.empty()) page.next_revision = page.events.back().revision;
  page.more = static_cast<int>(page.events.size()) >= limit;
  return page;
}

absl::StatusOr<std::vector<JobRecord>> SimStore::JobsChangedSince(int64_t revision,
                                                                  int limit) const {
  std::vector<JobRecord> jobs;
  for (const auto& [id, job] : disk_.jobs) {
    if (job.revision > revision) jobs.push_back(job);
  }
  std::sort(jobs.begin(), jobs.end(), [](const JobRecord& a, const JobRecord& b) {
    return std::tie(a.revision, a.id) < std::tie(b.revision, b.id);
  });
  size_t end = std::min<size_t>(std::max(limit, 1), jobs.size());
  while (end > 0 && end < jobs.size() && jobs[end].revision == jobs[end - 1].revision) ++end;
  jobs.resize(end);
  return jobs;
}

}  // namespace trainyard::coordinator
