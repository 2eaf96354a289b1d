#include "coordinator/core/draft.h"

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "coordinator/core/run_place.h"

namespace trainyard::coordinator {

JobRecord& Draft::Edit(Job& job) {
  write_ = true;
  jobs_.insert(job.record.id);
  return job.record;
}

AttemptRecord& Draft::EditAttempt(Job& job) {
  write_ = true;
  attempts_.insert(job.record.id);
  return job.attempt;
}

TaskRecord& Draft::Edit(Task& task) {
  write_ = true;
  tasks_.insert(task.record.task_uid);
  return task.record;
}

NodeRecord& Draft::Edit(Node& node) {
  write_ = true;
  nodes_.insert(node.record.name);
  return node.record;
}

Job& Draft::AddJob(JobRecord record) {
  record.created_at = now_;
  record.state_since = now_;
  record.created_revision = revision();
  const std::string id = record.id;
  Job& job = state_.jobs[id];
  job.record = std::move(record);
  state_.live.insert(id);
  IndexRunPlace(state_, job.record);
  state_.newest_by_name[job.record.name] = id;
  if (job.record.pipeline_id.empty()) state_.live_by_name[job.record.name] = id;
  if (!job.record.request_id.empty()) state_.job_by_request[job.record.request_id] = id;
  if (job.record.state == JobState::kQueued) state_.queue.insert(QueueKeyOf(job.record));
  for (const std::string& upstream : job.record.after) {
    state_.jobs.at(upstream).dependents.insert(id);
  }
  Edit(job);
  Stir(id);
  return job;
}

void Draft::AddAttempt(Job& job, AttemptRecord record) {
  if (attempts_.count(job.record.id) > 0) {
    job.attempt.revision = revision();
    batch_.attempts.push_back(job.attempt);
  }
  record.started_at = now_;
  record.state_since = now_;
  job.attempt = std::move(record);
  job.first_failure_at = absl::InfiniteFuture();
  job.all_ended_at = absl::InfiniteFuture();
  job.seats.clear();
  job.told = {};
  EditAttempt(job);
}

void Draft::AddPipeline(PipelineRecord record) {
  write_ = true;
  record.created_at = now_;
  record.revision = revision();
  batch_.pipelines.push_back(record);
  state_.pipeline_by_request[record.request_id] = record.id;
  state_.newest_pipeline_by_name[record.name] = record.id;
  const std::string id = record.id;
  state_.pipelines[id] = std::move(record);
}

Node& Draft::AddNode(NodeRecord record) {
  Node& node = state_.nodes[record.name];
  node.record = std::move(record);
  Edit(node);
  return node;
}

Task& Draft::AddTask(TaskRecord record) {
  record.task_uid = state_.next_task_uid++;
  const uint64_t uid = record.task_uid;
  state_.jobs.at(record.job_id).tasks.insert(uid);
  state_.nodes.at(record.node).tasks.insert(uid);
  Task& task = state_.tasks[uid];
  task.record = std::move(record);
  task.session_lost_at = now_;
  Edit(task);
  return task;
}

void Draft::AddCheckpoint(Job& job, CheckpointRow row) {
  write_ = true;
  row.revision = revision();
  batch_.checkpoints.push_back(row);
  job.checkpoints.insert(job.checkpoints.begin(), std::move(row));
}

void Draft::RemoveCheckpoint(Job& job, const CheckpointRow& row) {
  write_ = true;
  batch_.removed_checkpoints.push_back(row);
  const std::string request_id = row.request_id;
  job.checkpoints.erase(
      std::remove_if(job.checkpoints.begin(), job.checkpoints.end(),
                     [&](const CheckpointRow& other) { return other.request_id == request_id; }),
      job.checkpoints.end());
}

void Draft::AddArtifact(ArtifactRow row) {
  write_ = true;
  row.revision = revision();
  batch_.artifacts.push_back(std::move(row));
}

void Draft::MoveJob(Job& job, JobMove move, const std::string& reason) {
  const std::optional<JobState> next = NextJobState(job.record.state, move);
  TY_CHECK(next.has_value());
  state_.queue.erase(QueueKeyOf(job.record));
  JobRecord& record = Edit(job);
  record.state = *next;
  record.state_since = now_;
  record.reason = reason;
  const std::string& id = record.id;
  if (record.state == JobState::kQueued) {
    const QueueKey key = QueueKeyOf(record);
    state_.queue.insert(key);
    if (!state_.queue_full_at.has_value() || key < *state_.queue_full_at) state_.schedule = true;
  }
  if (record.state == JobState::kActive) {
    state_.active.insert(id);
  } else {
    state_.active.erase(id);
  }
  IndexRunPlace(state_, record);
  const bool terminal = IsTerminal(record.state);
  record.ended_at = terminal ? now_ : absl::InfinitePast();
  if (!terminal) {
    state_.live.insert(id);
    if (record.pipeline_id.empty()) state_.live_by_name[record.name] = id;
  } else {
    state_.live.erase(id);
    const auto named = state_.live_by_name.find(record.name);
    if (named != state_.live_by_name.end() && named->second == id) {
      state_.live_by_name.erase(named);
    }
  }
  for (const std::string& dependent : job.dependents) Stir(dependent);
  Stir(id);
}

void Draft::MoveAttempt(Job& job, AttemptMove move) {
  const std::optional<AttemptState> next = NextAttemptState(job.attempt.state, move);
  TY_CHECK(next.has_value());
  AttemptRecord& attempt = EditAttempt(job);
  attempt.state = *next;
  attempt.state_since = now_;
  if (*next != AttemptState::kEnded) return;
  attempt.ended_at = now_;
  maybe_over_.insert(job.tasks.begin(), job.tasks.end());
}

bool Draft::MoveTask(Task& task, TaskMove move) {
  const std::optional<TaskState> next = NextTaskState(task.record.state, move);
  if (!next.has_value()) return false;
  TaskRecord& record = Edit(task);
  record.state = *next;
  const bool started = *next == TaskState::kStarting || *next == TaskState::kReady;
  if (started && record.started_at == absl::InfinitePast()) record.started_at = now_;
  if (*next == TaskState::kExited) {
    record.ended_at = now_;
    if (Node* node = state_.FindNode(record.node)) node->tasks.erase(record.task_uid);
    state_.schedule = true;
  }
  if (!Reachable(record) && task.session != 0) {
    state_.task_sessions.erase(task.session);
    Send(task.session,
         CloseSession{absl::AbortedError(absl::StrCat("task ", record.task_uid, " is ",
                                                      TaskStateName(record.state), ": exit now"))});
    task.session = 0;
  }
  Stir(record.job_id);
  Repeer(record.job_id);
  // What the agent is told depends on nothing else of a task's state.
  if (move == TaskMove::kStop || !Reachable(record)) Redesire(record.node);
  return true;
}

void Draft::NoteJob(absl::string_view type, const Job& job, const std::string& message) {
  EventRow row;
  row.job_id = job.record.id;
  row.type = std::string(type);
  row.message = message;
  Note(std::move(row));
}

void Draft::NoteNode(absl::string_view type, const Node& node, const std::string& message) {
  EventRow row;
  row.node = node.record.name;
  row.type = std::string(type);
  row.message = message;
  Note(std::move(row));
}

void Draft::Note(EventRow row) {
  write_ = true;
  row.index = static_cast<int>(batch_.events.size());
  row.time = now_;
  row.principal = principal_;
  decision_.reasons.push_back(absl::StrCat(row.type, " ", row.job_id, row.node, ": ", row.message));
  batch_.events.push_back(std::move(row));
}

void Draft::Send(SessionId session, Order order) {
  if (session != 0) decision_.orders.push_back({session, std::move(order)});
}

void Draft::SendNow(SessionId session, Order order) {
  if (session != 0) decision_.immediate.push_back({session, std::move(order)});
}

void Draft::Refuse(CallId call, const absl::Status& status, const std::string& reason) {
  decision_.reasons.push_back(absl::StrCat("refused: ", status.message()));
  Answer({call, status, reason, {}});
}

void Draft::FillBatch(Batch& batch) {
  const int64_t revision = batch.revision;
  for (const std::string& id : jobs_) {
    JobRecord& record = state_.jobs.at(id).record;
    record.revision = revision;
    batch.jobs.push_back(record);
  }
  for (const std::string& id : attempts_) {
    AttemptRecord& record = state_.jobs.at(id).attempt;
    record.revision = revision;
    batch.attempts.push_back(record);
  }
  for (uint64_t uid : tasks_) {
    TaskRecord& record = state_.tasks.at(uid).record;
    record.revision = revision;
    batch.tasks.push_back(record);
  }
  for (const std::string& name : nodes_) {
    NodeRecord& record = state_.nodes.at(name).record;
    record.revision = revision;
    batch.nodes.push_back(record);
  }
  for (EventRow& row : batch.events) row.revision = revision;
}

// Tasks that hold no slot are of no more use once their attempt is over.
void Draft::Forget() {
  maybe_over_.insert(tasks_.begin(), tasks_.end());
  for (uint64_t uid : maybe_over_) {
    const TaskRecord& record = state_.tasks.at(uid).record;
    Job& job = state_.jobs.at(record.job_id);
    const bool over =
        job.attempt.number != record.attempt || job.attempt.state == AttemptState::kEnded;
    if (!over || HoldsSlot(record)) continue;
    job.tasks.erase(uid);
    state_.tasks.erase(uid);
  }
}

void Draft::FillAnswers() {
  for (const auto& [call, id] : job_answers_) Answer({call, {}, "", state_.jobs.at(id).record});
  for (const auto& [call, id] : pipeline_answers_) Answer({call, {}, "", state_.pipelines.at(id)});
  for (const auto& [call, name] : node_answers_) {
    Answer({call, {}, "", state_.nodes.at(name).record});
  }
}

Decision Draft::Finish() {
  if (write_) {
    batch_.term = state_.term;
    batch_.revision = revision();
    batch_.next_task_uid = state_.next_task_uid;
    FillBatch(batch_);
    state_.revision = batch_.revision;
    decision_.batch = std::make_shared<const Batch>(std::move(batch_));
    Forget();
  }
  FillAnswers();
  decision_.revision = state_.revision;
  return std::move(decision_);
}

}  // namespace trainyard::coordinator
