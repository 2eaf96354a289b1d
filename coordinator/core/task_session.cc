#include "coordinator/core/task_session.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "coordinator/core/elastic.h"
#include "coordinator/core/hang.h"

namespace trainyard::coordinator {
namespace {

Task* TaskOf(Draft& draft, SessionId session) {
  State& state = draft.state();
  const auto it = state.task_sessions.find(session);
  if (it != state.task_sessions.end()) return state.FindTask(it->second);
  draft.Send(session, CloseSession{absl::AbortedError("this session is over: say hello again")});
  return nullptr;
}

void BecomeReady(Draft& draft, Task& task, const std::string& endpoint,
                 const std::string& numerics_id) {
  const bool same = task.record.endpoint == endpoint && task.record.numerics_id == numerics_id;
  if (!same) {
    draft.Edit(task).endpoint = endpoint;
    draft.Edit(task).numerics_id = numerics_id;
    draft.Repeer(task.record.job_id);
  }
  if (draft.MoveTask(task, TaskMove::kReady)) RecordSeat(draft, task, true);
}

bool Starts(const std::string& phase) { return phase == "starting" || phase == "load"; }

}  // namespace

absl::Status CheckRights(const State& state, const TaskIdentity& identity) {
  const Job* job = state.FindJob(identity.job_id);
  if (job == nullptr) {
    return absl::NotFoundError(absl::StrCat("there is no job ", identity.job_id));
  }
  const JobRecord& record = job->record;
  if (identity.secret != record.secret) {
    return absl::PermissionDeniedError(
        absl::StrCat("the secret is not that of job ", identity.job_id));
  }
  if (state.options.mutation.no_epoch_check) return absl::OkStatus();
  if (identity.epoch < record.epoch) {
    return absl::AbortedError(absl::StrCat("epoch ", identity.epoch, " of job ", identity.job_id,
                                           " is over, it is at ", record.epoch, ": exit"));
  }
  if (identity.epoch > record.epoch) {
    return absl::UnavailableError(absl::StrCat("job ", identity.job_id, " is at epoch ",
                                               record.epoch, " here, not ", identity.epoch,
                                               " yet: try again"));
  }
  const Task* task = state.FindTask(identity.task_uid);
  if (task == nullptr || task->record.epoch != identity.epoch || !Reachable(task->record)) {
    return absl::AbortedError(
        absl::StrCat("task ", identity.task_uid, " has ended for the coordinator: exit"));
  }
  if (task->record.job_id != identity.job_id) {
    return absl::PermissionDeniedError(
        absl::StrCat("task ", identity.task_uid, " is not one of job ", identity.job_id));
  }
  return absl::OkStatus();
}

void OnTaskHello(Draft& draft, const TaskHello& event) {
  State& state = draft.state();
  absl::Status status =
      CheckRights(state, {event.job_id, event.epoch, event.task_uid, event.secret});
  if (status.ok() && event.highest_term > state.term) {
    status = absl::UnavailableError(absl::StrCat("this coordinator has term ", state.term,
                                                 ", the task has seen ", event.highest_term));
  }
  Task* task = state.FindTask(event.task_uid);
  if (status.ok() && task == nullptr) status = absl::AbortedError("the task has ended: exit");
  if (status.ok() && event.session < task->newest_session) {
    status = absl::CancelledError("the task opened a newer session");
  }
  if (!status.ok()) {
    draft.Send(event.session, CloseSession{status});
    return;
  }
  if (task->session != 0) {
    state.task_sessions.erase(task->session);
    draft.Send(task->session,
               CloseSession{absl::CancelledError("the task opened a newer session")});
  }
  task->session = task->newest_session = event.session;
  task->progress_at = draft.now();
  task->peers_told = 0;
  state.task_sessions[event.session] = event.task_uid;
  draft.Send(event.session, TaskWelcome{state.term, draft.options().heartbeat_interval});
  draft.MoveTask(*task, TaskMove::kStarted);
  if (event.ready) BecomeReady(draft, *task, event.endpoint, event.numerics_id);
  const TaskRecord& record = task->record;
  if (record.stop) {
    const Job& job = *state.FindJob(record.job_id);
    draft.Send(event.session,
               StopOrder{job.attempt.stop_checkpoint, record.stop_grace, record.stop_reason});
  }
  draft.Repeer(record.job_id);
  draft.Stir(record.job_id);
}

void OnTaskReady(Draft& draft, const TaskReady& event) {
  Task* task = TaskOf(draft, event.session);
  if (task != nullptr) BecomeReady(draft, *task, event.endpoint, event.numerics_id);
}

void OnTaskProgress(Draft& draft, const TaskProgress& event) {
  Task* task = TaskOf(draft, event.session);
  if (task == nullptr) return;
  RecordProgress(draft.options(), *task, event.progress, draft.now());
  if (!Starts(event.progress.phase)) draft.MoveTask(*task, TaskMove::kProgress);
  draft.ShowProgress({task->record.job_id, task->record.task_uid, event.progress});
}

void OnTaskEnd(Draft& draft, const TaskEnd& event) {
  Task* task = TaskOf(draft, event.session);
  if (task == nullptr) return;
  if (task->record.own_end != event.end) {
    draft.Edit(*task).own_end = event.end;
    const Job& job = *draft.state().FindJob(task->record.job_id);
    draft.NoteJob("task.ending", job,
                  absl::StrCat(TaskName(task->record), ": ", EndClassName(event.end.end_class), " ",
                               event.end.message));
    draft.Stir(task->record.job_id);
  }
  draft.Send(event.session, EndAck{});
}

void OnTaskHeartbeat(Draft& draft, const TaskHeartbeat& event) {
  if (TaskOf(draft, event.session) == nullptr) return;
  draft.SendNow(event.session, HeartbeatAck{event.sequence, draft.state().term});
}

void OnTaskSessionLost(Draft& draft, const TaskSessionLost& event) {
  State& state = draft.state();
  const auto it = state.task_sessions.find(event.session);
  if (it == state.task_sessions.end()) return;
  Task& task = *state.FindTask(it->second);
  state.task_sessions.erase(it);
  task.session = 0;
  task.session_lost_at = draft.now();
}

}  // namespace trainyard::coordinator
