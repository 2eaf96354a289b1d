#include "coordinator/core/verbs.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "coordinator/core/run_place.h"

namespace trainyard::coordinator {
namespace {

absl::Status NotNow(const Job& job, absl::string_view what) {
  return absl::FailedPreconditionError(absl::StrCat(
      "job ", job.record.id, " ('", job.record.name, "') is ", JobStateName(job.record.state),
      job.record.desired == DesiredState::kCancel ? " and being cancelled" : "", ": it can not be ",
      what));
}

bool Doomed(const Job& job) {
  return IsTerminal(job.record.state) || job.record.desired == DesiredState::kCancel;
}

absl::Status Pause(Draft& draft, Job& job) {
  if (Doomed(job)) return NotNow(job, "paused");
  if (job.record.desired == DesiredState::kPause) return absl::OkStatus();
  draft.Edit(job).desired = DesiredState::kPause;
  draft.NoteJob("job.pausing", job, "by a user");
  if (job.record.state == JobState::kQueued) draft.MoveJob(job, JobMove::kPause, "paused");
  draft.Stir(job.record.id);
  return absl::OkStatus();
}

absl::Status Resume(Draft& draft, Job& job) {
  if (Doomed(job)) return NotNow(job, "resumed");
  if (job.record.desired == DesiredState::kRun) return absl::OkStatus();
  draft.Edit(job).desired = DesiredState::kRun;
  draft.NoteJob("job.resumed", job, "by a user");
  if (job.record.state == JobState::kPaused) draft.MoveJob(job, JobMove::kResume, "");
  draft.Stir(job.record.id);
  return absl::OkStatus();
}

absl::Status Retry(Draft& draft, Job& job) {
  const JobRecord& record = job.record;
  if (record.state != JobState::kFailed && record.state != JobState::kCancelled) {
    return NotNow(job, "retried");
  }
  State& state = draft.state();
  const auto named = state.live_by_name.find(record.name);
  if (record.pipeline_id.empty() && named != state.live_by_name.end()) {
    return absl::AlreadyExistsError(absl::StrCat("job ", named->second, " has the name '",
                                                 record.name, "' now: wait for its end"));
  }
  TY_RETURN_IF_ERROR(CheckRunPlace(state, record));
  for (const std::string& id : record.after) {
    const JobState upstream = state.FindJob(id)->record.state;
    if (upstream != JobState::kFailed && upstream != JobState::kCancelled) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("job ", record.id, " needs job ", id, ", which is ", JobStateName(upstream),
                     ": retry that one first, or the whole pipeline"));
  }
  RetryJob(draft, job);
  return absl::OkStatus();
}

absl::Status Apply(Draft& draft, Job& job, const ChangeJob& event) {
  switch (event.verb) {
    case JobVerb::kCancel:
      CancelJob(draft, job, event.reason);
      return absl::OkStatus();
    case JobVerb::kPause:
      return Pause(draft, job);
    case JobVerb::kResume:
      return Resume(draft, job);
    case JobVerb::kRetry:
      return Retry(draft, job);
  }
  return absl::InvalidArgumentError("unknown verb");
}

}  // namespace

void CancelJob(Draft& draft, Job& job, const std::string& why) {
  if (Doomed(job)) return;
  JobRecord& record = draft.Edit(job);
  record.desired = DesiredState::kCancel;
  record.end = {EndClass::kCancelled, why.empty() ? "cancelled by a user" : why};
  draft.NoteJob("job.cancelling", job, record.end.message);
  if (record.state == JobState::kActive) {
    draft.Stir(record.id);
  } else {
    draft.MoveJob(job, JobMove::kCancel, record.end.message);
  }
}

void RetryJob(Draft& draft, Job& job) {
  draft.MoveJob(job, JobMove::kRetry, "");
  JobRecord& record = draft.Edit(job);
  record.desired = DesiredState::kRun;
  record.end = {};
  record.attempts_without_commit = 0;
  record.not_before = absl::InfinitePast();
  record.started_at = absl::InfinitePast();
  draft.NoteJob("job.retried", job, "by a user");
}

void OnChangeJob(Draft& draft, const ChangeJob& event) {
  draft.SetPrincipal(event.principal);
  Job* job = draft.state().FindJobByIdOrName(event.job);
  if (job == nullptr) {
    const auto status = absl::NotFoundError(absl::StrCat("there is no job '", event.job, "'"));
    return draft.Refuse(event.call, status, "NO_SUCH_JOB");
  }
  const absl::Status status = Apply(draft, *job, event);
  if (!status.ok()) return draft.Refuse(event.call, status, "WRONG_STATE");
  draft.AnswerJob(event.call, job->record.id);
}

}  // namespace trainyard::coordinator
