#include "coordinator/core/checkpoints.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "coordinator/core/task_session.h"

namespace trainyard::coordinator {
namespace {

const CheckpointRow* FindRow(const Job& job, const std::string& request_id) {
  for (const CheckpointRow& row : job.checkpoints) {
    if (row.request_id == request_id) return &row;
  }
  return nullptr;
}

bool Better(const CheckpointRow& a, const CheckpointRow& b) {
  if (!b.metric.has_value()) return true;
  return a.metric_higher_is_better ? *a.metric > *b.metric : *a.metric < *b.metric;
}

absl::Status CheckCommit(const State& state, const CommitCheckpoint& event) {
  TY_RETURN_IF_ERROR(CheckRights(state, event.task));
  const Job& job = *state.FindJob(event.task.job_id);
  if (event.request_id.empty()) return absl::InvalidArgumentError("request_id is empty");
  const std::string home = absl::StrCat(job.record.shape->run_uri, "/e", event.task.epoch, "/");
  if (!absl::StartsWith(event.uri, home)) {
    return absl::InvalidArgumentError(absl::StrCat("checkpoint ", event.uri, " is not below ", home,
                                                   ", where epoch ", event.task.epoch, " writes"));
  }
  if (job.record.finished || IsTerminal(job.record.state)) {
    return absl::FailedPreconditionError(
        absl::StrCat("job ", job.record.id, " has committed its outputs already"));
  }
  for (const CheckpointRow& row : job.checkpoints) {
    if (row.epoch == event.task.epoch && row.step >= event.step) {
      return absl::FailedPreconditionError(
          absl::StrCat("step ", event.step, " of job ", job.record.id, " comes after step ",
                       row.step, ", which epoch ", row.epoch, " has committed already"));
    }
  }
  return absl::OkStatus();
}

std::string ReasonOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kAborted:
      return "STALE_EPOCH";
    case absl::StatusCode::kPermissionDenied:
      return "WRONG_SECRET";
    case absl::StatusCode::kUnavailable:
      return "UNKNOWN_EPOCH";
    case absl::StatusCode::kNotFound:
      return "NO_SUCH_JOB";
    default:
      return "COMMIT_REFUSED";
  }
}

CheckpointRow MakeRow(const CommitCheckpoint& event, absl::Time now) {
  CheckpointRow row;
  row.job_id = event.task.job_id;
  row.request_id = event.request_id;
  row.epoch = event.task.epoch;
  row.step = event.step;
  row.uri = event.uri;
  row.manifest_sha256 = event.manifest_sha256;
  row.metric = event.metric;
  row.metric_higher_is_better = event.metric_higher_is_better;
  row.committed_at = now;
  return row;
}

}  // namespace

std::vector<CheckpointRow> Prunable(const std::vector<CheckpointRow>& rows, int keep) {
  const CheckpointRow* best = nullptr;
  for (const CheckpointRow& row : rows) {
    if (row.metric.has_value() && (best == nullptr || Better(row, *best))) best = &row;
  }
  std::vector<CheckpointRow> prunable;
  for (size_t i = keep > 0 ? keep : 2; i < rows.size(); ++i) {
    if (&rows[i] != best) prunable.push_back(rows[i]);
  }
  return prunable;
}

void OnCommitCheckpoint(Draft& draft, const CommitCheckpoint& event) {
  State& state = draft.state();
  Job* job = state.FindJob(event.task.job_id);
  const CheckpointRow* known = job == nullptr ? nullptr : FindRow(*job, event.request_id);
  if (known != nullptr && event.task.secret == job->record.secret) {
    return draft.Answer({event.call, {}, "", CommitAnswer{known->revision, known->prune}});
  }
  if (const absl::Status status = CheckCommit(state, event); !status.ok()) {
    return draft.Refuse(event.call, status, ReasonOf(status));
  }
  CheckpointRow row = MakeRow(event, draft.now());
  std::vector<CheckpointRow> rows = job->checkpoints;
  rows.insert(rows.begin(), row);
  for (const CheckpointRow& old : Prunable(rows, event.keep)) {
    row.prune.push_back(old.uri);
    draft.RemoveCheckpoint(*job, old);
  }
  const CommitAnswer answer{draft.revision(), row.prune};
  draft.AddCheckpoint(*job, std::move(row));
  draft.Edit(*job).attempts_without_commit = 0;
  draft.EditAttempt(*job).committed = true;
  draft.NoteJob("checkpoint.committed", *job, absl::StrCat("step ", event.step, " at ", event.uri));
  draft.Answer({event.call, {}, "", answer});
}

void OnFinishJob(Draft& draft, const FinishJob& event) {
  Job* job = draft.state().FindJob(event.task.job_id);
  if (job != nullptr && job->record.finished && event.task.secret == job->record.secret &&
      job->record.finish_request_id == event.request_id) {
    return draft.Answer({event.call, {}, "", FinishAnswer{job->record.revision}});
  }
  absl::Status status = CheckRights(draft.state(), event.task);
  if (status.ok() && (job->record.finished || IsTerminal(job->record.state))) {
    status = absl::FailedPreconditionError(
        absl::StrCat("job ", job->record.id, " has committed its outputs already"));
  }
  if (!status.ok()) return draft.Refuse(event.call, status, ReasonOf(status));
  JobRecord& record = draft.Edit(*job);
  record.finished = true;
  record.finish_request_id = event.request_id;
  record.outputs = event.outputs;
  for (ArtifactRow& output : record.outputs) {
    output.job_id = record.id;
    output.epoch = event.task.epoch;
    output.committed_at = draft.now();
  }
  draft.NoteJob("job.finished", *job,
                absl::StrCat(record.outputs.size(), " outputs are committed"));
  draft.Stir(record.id);
  draft.Answer({event.call, {}, "", FinishAnswer{draft.revision()}});
}

}  // namespace trainyard::coordinator
