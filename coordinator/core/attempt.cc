#include "coordinator/core/attempt.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/core/recovery.h"
#include "coordinator/core/run_place.h"

namespace trainyard::coordinator {
namespace {

bool OfAttempt(const Job& job, const TaskRecord& task) {
  return task.attempt == job.attempt.number;
}

// The tasks of the running attempt, by uid.
std::vector<Task*> TasksOf(State& state, const Job& job) {
  std::vector<Task*> tasks;
  for (uint64_t uid : job.tasks) {
    Task* task = state.FindTask(uid);
    if (OfAttempt(job, task->record)) tasks.push_back(task);
  }
  return tasks;
}

// Nobody who holds the old epoch may write for the job any more.
void WithdrawRights(Draft& draft, Job& job) {
  draft.Edit(job).epoch = TakeEpoch(draft.state(), job.record);
  for (Task* task : TasksOf(draft.state(), job)) {
    if (task->session == 0) continue;
    draft.state().task_sessions.erase(task->session);
    draft.Send(
        task->session,
        CloseSession{absl::AbortedError(absl::StrCat("epoch ", task->record.epoch, " of job ",
                                                     job.record.id, " is over: exit now"))});
    task->session = 0;
  }
}

void PublishOutputs(Draft& draft, Job& job) {
  for (ArtifactRow& row : draft.Edit(job).outputs) {
    row.revision = draft.revision();
    draft.AddArtifact(row);
  }
}

void EndAttempt(Draft& draft, Job& job) {
  draft.MoveAttempt(job, AttemptMove::kEnd);
  WithdrawRights(draft, job);
  const Outcome outcome = Decide(draft.options(), job.record, job.attempt);
  JobRecord& record = draft.Edit(job);
  if (outcome.counts) ++record.attempts_without_commit;
  record.not_before = draft.now() + outcome.delay;
  draft.state().backoff_ends.insert(record.not_before);
  if (outcome.move == JobMove::kFail) record.end = job.attempt.end;
  if (outcome.move == JobMove::kSucceed) {
    record.end = {EndClass::kSucceeded, ""};
    PublishOutputs(draft, job);
  }
  draft.NoteJob("attempt.ended", job,
                absl::StrCat("attempt ", job.attempt.number,
                             " ended: ", EndClassName(job.attempt.end.end_class), " ",
                             job.attempt.end.message));
  draft.MoveJob(job, outcome.move, outcome.reason);
  draft.NoteJob(absl::StrCat("job.", JobMoveName(outcome.move)), job, outcome.reason);
}

void ReviewStopping(Draft& draft, Job& job) {
  const auto tasks = TasksOf(draft.state(), job);
  const auto waiting = [&] {
    return std::any_of(tasks.begin(), tasks.end(),
                       [](const Task* task) { return Reachable(task->record); });
  };
  const absl::Time deadline = job.attempt.stop_deadline;
  if (waiting() && draft.now() >= deadline && !job.attempt.fenced) {
    draft.EditAttempt(job).fenced = true;
    WithdrawRights(draft, job);
    draft.NoteJob("attempt.fenced", job, "tasks did not end within their grace");
  }
  if (waiting() && draft.now() >= deadline + draft.options().kill_limit) {
    for (Task* task : tasks) {
      if (!Reachable(task->record)) continue;
      draft.Edit(*task).end = {EndClass::kNodeLost, "its agent did not report the end in time"};
      draft.MoveTask(*task, TaskMove::kLose);
    }
  }
  if (!waiting()) EndAttempt(draft, job);
}

StopPlan PlanOf(EndClass end_class, const std::string& message, absl::Duration grace) {
  return {{end_class, message}, grace, false};
}

// Why the attempt must stop although nothing failed.
std::optional<StopPlan> OrderedStop(Draft& draft, const Job& job) {
  const CoreOptions& options = draft.options();
  const JobRecord& record = job.record;
  if (record.finished) {
    return PlanOf(EndClass::kSucceeded, "outputs are committed", options.finish_grace);
  }
  if (record.desired == DesiredState::kCancel) {
    return PlanOf(EndClass::kCancelled, record.end.message, options.cancel_grace);
  }
  if (record.desired == DesiredState::kPause) {
    StopPlan plan = PlanOf(EndClass::kDrained, "paused", options.pause_grace);
    plan.checkpoint = true;
    return plan;
  }
  if (draft.now() >= record.started_at + record.shape->max_duration) {
    StopPlan plan = PlanOf(EndClass::kDeadline,
                           absl::StrCat("it ran longer than max_duration (",
                                        absl::FormatDuration(record.shape->max_duration), ")"),
                           options.pause_grace);
    plan.checkpoint = true;
    return plan;
  }
  return std::nullopt;
}

std::optional<EndReason> MissedDeadline(Draft& draft, const Job& job) {
  const CoreOptions& options = draft.options();
  const absl::Duration age = draft.now() - job.attempt.state_since;
  if (job.attempt.state == AttemptState::kPlaced && age >= options.preflight_limit) {
    return EndReason{EndClass::kHang, absl::StrCat("no agent answered the preflight within ",
                                                   absl::FormatDuration(options.preflight_limit))};
  }
  const absl::Duration start_limit = job.record.shape->start_limit;
  if (job.attempt.state == AttemptState::kStarting && age >= start_limit) {
    return EndReason{EndClass::kHang, absl::StrCat("not every task was ready within ",
                                                   absl::FormatDuration(start_limit))};
  }
  if (draft.now() - job.all_ended_at >= options.unfinished_limit) {
    return EndReason{EndClass::kInternal,
                     "every task ended well, but the job's outputs were never committed"};
  }
  return std::nullopt;
}

// The first failure is held for a while, so that a stronger cause can still arrive.
void ReviewFailures(Draft& draft, Job& job) {
  std::vector<EndReason> failures = FailuresOf(draft.state(), job);
  if (auto missed = MissedDeadline(draft, job)) failures.push_back(*std::move(missed));
  if (failures.empty()) {
    job.first_failure_at = absl::InfiniteFuture();
    return;
  }
  job.first_failure_at = std::min(job.first_failure_at, draft.now());
  if (draft.now() - job.first_failure_at < draft.options().first_cause_hold) return;
  StopPlan plan{FirstCause(failures), draft.options().failure_grace, false};
  draft.NoteJob("attempt.failed", job,
                absl::StrCat(EndClassName(plan.end.end_class), " of ", plan.end.task, ": ",
                             plan.end.message, " (", failures.size(), " reports)"));
  BeginStop(draft, job, plan);
}

void ReviewReadiness(Draft& draft, Job& job) {
  std::map<std::string, int> ready;
  bool all_ended = true;
  for (const Task* task : TasksOf(draft.state(), job)) {
    const TaskRecord& record = task->record;
    const bool is_ready = record.state == TaskState::kReady || record.state == TaskState::kRunning;
    const bool ended = record.state == TaskState::kExited;
    if (is_ready || (ended && !record.elastic)) ++ready[record.role];
    if (!record.elastic && !ended) all_ended = false;
  }
  if (!all_ended) {
    job.all_ended_at = absl::InfiniteFuture();
  } else {
    job.all_ended_at = std::min(job.all_ended_at, draft.now());
  }
  if (job.attempt.state != AttemptState::kStarting) return;
  for (const RoleShape& role : job.record.shape->roles) {
    if (ready[role.name] < GangCount(job.record, role)) return;
  }
  draft.MoveAttempt(job, AttemptMove::kAllReady);
  draft.NoteJob("attempt.running", job, "every task of the gang is ready");
  draft.Repeer(job.record.id);
}

const TaskRecord* PreflightTask(const State& state, const Job& job) {
  for (uint64_t uid : job.tasks) {
    const TaskRecord& task = state.tasks.at(uid).record;
    if (OfAttempt(job, task)) return &task;
  }
  return nullptr;
}

}  // namespace

Assignment MakeAssignment(const State& state, const Job& job, const TaskRecord& task) {
  const JobRecord& record = job.record;
  const RoleShape* role = FindRole(*record.shape, task.role);
  Assignment assignment;
  assignment.job_id = record.id;
  assignment.job_name = record.name;
  assignment.kind = record.shape->kind;
  assignment.epoch = task.epoch;
  assignment.attempt = task.attempt;
  assignment.task_uid = task.task_uid;
  assignment.secret = record.secret;
  assignment.term = state.term;
  assignment.role = task.role;
  assignment.index = task.index;
  assignment.role_count = WantedCount(record, *role);
  assignment.threads = role->threads;
  assignment.node = task.node;
  assignment.run_uri = record.shape->run_uri;
  assignment.resources = task.resources;
  assignment.gpus = task.gpus;
  assignment.inputs = record.inputs;
  assignment.spec = record.spec;
  assignment.restore = job.checkpoints;
  const auto extended = state.jobs.find(record.extended_job);
  if (extended != state.jobs.end()) {
    const auto& rows = extended->second.checkpoints;
    assignment.restore.insert(assignment.restore.end(), rows.begin(), rows.end());
  }
  return assignment;
}

void StartTask(Draft& draft, Job& job, const Seat& seat, const Placing& placing) {
  TaskRecord record;
  record.job_id = job.record.id;
  record.attempt = job.attempt.number;
  record.epoch = job.attempt.epoch;
  record.role = std::string(seat.role);
  record.index = seat.index;
  record.node = placing.node;
  record.node_incarnation = placing.node_incarnation;
  record.resources = *seat.resources;
  record.gpus = placing.gpus;
  record.elastic = FindRole(*job.record.shape, record.role)->elastic;
  draft.AddTask(std::move(record));
  draft.Redesire(placing.node);
  draft.Repeer(job.record.id);
}

void StartAttempt(Draft& draft, Job& job, const std::vector<Seat>& seats,
                  const std::vector<Placing>& places) {
  JobRecord& record = draft.Edit(job);
  record.epoch = TakeEpoch(draft.state(), record);
  ++record.attempt;
  record.not_before = absl::InfinitePast();
  if (record.started_at == absl::InfinitePast()) record.started_at = draft.now();
  AttemptRecord attempt;
  attempt.job_id = record.id;
  attempt.number = record.attempt;
  attempt.epoch = record.epoch;
  draft.AddAttempt(job, std::move(attempt));
  for (size_t i = 0; i < seats.size(); ++i) StartTask(draft, job, seats[i], places[i]);
  const TaskRecord& first = *PreflightTask(draft.state(), job);
  const Assignment assignment = MakeAssignment(draft.state(), job, first);
  if (!assignment.restore.empty()) {
    draft.EditAttempt(job).restored_step = assignment.restore.front().step;
  }
  draft.MoveJob(job, JobMove::kPlace, "");
  draft.NoteJob("attempt.placed", job,
                absl::StrCat("attempt ", job.attempt.number, ", epoch ", job.attempt.epoch, ": ",
                             seats.size(), " tasks, first on ", first.node));
  if (record.shape->preflight) {
    ResendPreflight(draft, job);
  } else {
    BeginStarting(draft, job);
  }
}

void ResendPreflight(Draft& draft, Job& job) {
  if (job.attempt.state != AttemptState::kPlaced) return;
  const TaskRecord* task = PreflightTask(draft.state(), job);
  const Node* node = draft.state().FindNode(task->node);
  draft.Send(node->session, PreflightOrder{job.record.id, job.attempt.epoch,
                                           MakeAssignment(draft.state(), job, *task)});
}

void BeginStarting(Draft& draft, Job& job) {
  draft.MoveAttempt(job, AttemptMove::kStart);
  draft.NoteJob("attempt.starting", job, "agents are told to start its tasks");
  for (const Task* task : TasksOf(draft.state(), job)) draft.Redesire(task->record.node);
}

void StopTask(Draft& draft, Task& task, const StopPlan& plan) {
  if (task.record.state == TaskState::kExited) return;
  if (task.record.stop && task.record.stop_grace <= plan.grace) return;
  TaskRecord& record = draft.Edit(task);
  record.stop = true;
  record.stop_grace = plan.grace;
  record.stop_reason = plan.end.message;
  draft.MoveTask(task, TaskMove::kStop);
  draft.Send(task.session, StopOrder{plan.checkpoint, plan.grace, plan.end.message});
  draft.Redesire(record.node);
  draft.Repeer(record.job_id);
}

void BeginStop(Draft& draft, Job& job, const StopPlan& plan) {
  const bool never_told = job.attempt.state == AttemptState::kPlaced;
  const absl::Time deadline = draft.now() + plan.grace;
  if (job.attempt.state == AttemptState::kStopping) {
    if (deadline >= job.attempt.stop_deadline) return;
    draft.EditAttempt(job).stop_deadline = deadline;
  } else {
    draft.MoveAttempt(job, AttemptMove::kStop);
    AttemptRecord& attempt = draft.EditAttempt(job);
    attempt.end = plan.end;
    attempt.stop_deadline = deadline;
    attempt.stop_checkpoint = plan.checkpoint;
  }
  for (Task* task : TasksOf(draft.state(), job)) {
    if (never_told && Reachable(task->record)) {
      draft.Edit(*task).end = {EndClass::kCancelled, "it was never started"};
      draft.MoveTask(*task, TaskMove::kExit);
    } else {
      StopTask(draft, *task, plan);
    }
  }
  draft.Stir(job.record.id);
}

void ReviewAttempt(Draft& draft, Job& job) {
  if (const auto plan = OrderedStop(draft, job)) {
    BeginStop(draft, job, *plan);
  } else if (job.attempt.state != AttemptState::kStopping) {
    ReviewReadiness(draft, job);
    ReviewFailures(draft, job);
  }
  if (job.attempt.state == AttemptState::kStopping) ReviewStopping(draft, job);
}

}  // namespace trainyard::coordinator
