#include "coordinator/core/pipelines.h"

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "coordinator/core/run_place.h"
#include "coordinator/core/verbs.h"

namespace trainyard::coordinator {
namespace {

const ArtifactRow* FindOutput(const Job& job, const std::string& name) {
  for (const ArtifactRow& row : job.record.outputs) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

// The job that an input names: a stage of the same pipeline, else an id, else a name; one of
// `after`, as submission resolved it.
const Job* SourceOf(const State& state, const JobRecord& job, const ArtifactInput& input) {
  const Job* by_name = nullptr;
  for (const std::string& id : job.after) {
    const Job* other = state.FindJob(id);
    const bool sibling = !job.pipeline_id.empty() && other->record.pipeline_id == job.pipeline_id;
    if (id == input.job || (sibling && other->record.stage == input.job)) return other;
    if (other->record.name == input.job) by_name = other;
  }
  return by_name;
}

// The inputs by exact digest. InvalidArgument names the output that is missing.
absl::StatusOr<std::map<std::string, ArtifactRow>> ResolveInputs(const State& state,
                                                                 const JobRecord& job) {
  std::map<std::string, ArtifactRow> inputs;
  for (const ArtifactInput& input : job.shape->inputs) {
    const Job* source = SourceOf(state, job, input);
    const ArtifactRow* row = source == nullptr ? nullptr : FindOutput(*source, input.artifact);
    if (row != nullptr) {
      inputs[input.reference] = *row;
      continue;
    }
    std::vector<std::string> names;
    if (source != nullptr) {
      for (const ArtifactRow& output : source->record.outputs) names.push_back(output.name);
    }
    return absl::InvalidArgumentError(absl::StrCat("input '", input.reference, "': job '",
                                                   input.job, "' has no output '", input.artifact,
                                                   "' (it has: ", absl::StrJoin(names, ", "), ")"));
  }
  return inputs;
}

void Unblock(Draft& draft, Job& job) {
  auto inputs = ResolveInputs(draft.state(), job.record);
  if (!inputs.ok()) {
    draft.Edit(job).end = {EndClass::kUserError, std::string(inputs.status().message())};
    draft.MoveJob(job, JobMove::kFail, job.record.end.message);
    draft.NoteJob("job.fail", job, job.record.end.message);
    return;
  }
  draft.Edit(job).inputs = *std::move(inputs);
  draft.MoveJob(job, JobMove::kUnblock, "");
  draft.NoteJob("job.queued", job, "waits for resources");
  if (job.record.desired == DesiredState::kPause) {
    draft.MoveJob(job, JobMove::kPause, "paused");
  }
}

// The stages that a retry from the first failed one runs again, in order.
std::vector<Job*> RetryableStages(State& state, const PipelineRecord& pipeline) {
  std::vector<Job*> stages;
  for (const std::string& id : pipeline.job_ids) {
    Job* job = state.FindJob(id);
    const JobState stage = job->record.state;
    if (stage == JobState::kFailed || stage == JobState::kCancelled) stages.push_back(job);
  }
  return stages;
}

}  // namespace

void ReviewUpstream(Draft& draft, Job& job) {
  const bool waits = job.record.state == JobState::kBlocked;
  if (!waits) return;
  std::vector<std::string> pending;
  for (const std::string& id : job.record.after) {
    const JobRecord& upstream = draft.state().FindJob(id)->record;
    if (upstream.state == JobState::kSucceeded) continue;
    if (!IsTerminal(upstream.state)) {
      pending.push_back(absl::StrCat("'", upstream.name, "' (", id, ")"));
      continue;
    }
    const std::string message = absl::StrCat(
        "job '", upstream.name, "' (", id, "), which it needs, is ", JobStateName(upstream.state));
    draft.Edit(job).end = {EndClass::kUpstream, message};
    draft.MoveJob(job, JobMove::kCancel, message);
    draft.NoteJob("job.cancel", job, message);
    return;
  }
  if (pending.empty()) return Unblock(draft, job);
  const std::string reason = absl::StrCat("waits for ", absl::StrJoin(pending, ", "));
  if (job.record.reason != reason) draft.Edit(job).reason = reason;
}

void OnChangePipeline(Draft& draft, const ChangePipeline& event) {
  State& state = draft.state();
  draft.SetPrincipal(event.principal);
  auto it = state.pipelines.find(event.pipeline);
  const auto named = state.newest_pipeline_by_name.find(event.pipeline);
  if (it == state.pipelines.end() && named != state.newest_pipeline_by_name.end()) {
    it = state.pipelines.find(named->second);
  }
  if (it == state.pipelines.end()) {
    const auto status =
        absl::NotFoundError(absl::StrCat("there is no pipeline '", event.pipeline, "'"));
    return draft.Refuse(event.call, status, "NO_SUCH_PIPELINE");
  }
  const PipelineRecord& pipeline = it->second;
  const std::string& id = pipeline.id;
  if (event.verb == JobVerb::kCancel) {
    for (const std::string& job : pipeline.job_ids) {
      CancelJob(draft, *state.FindJob(job), event.reason);
    }
    return draft.AnswerPipeline(event.call, id);
  }
  const std::vector<Job*> stages = RetryableStages(state, pipeline);
  if (event.verb != JobVerb::kRetry || stages.empty()) {
    const auto status = absl::FailedPreconditionError(
        absl::StrCat("pipeline ", id, " has no stage that failed or was cancelled"));
    return draft.Refuse(event.call, status, "NOTHING_TO_RETRY");
  }
  for (const Job* stage : stages) {
    const absl::Status free = CheckRunPlace(state, stage->record);
    if (!free.ok()) return draft.Refuse(event.call, free, "RUN_URI_TAKEN");
  }
  for (Job* stage : stages) RetryJob(draft, *stage);
  draft.AnswerPipeline(event.call, id);
}

}  // namespace trainyard::coordinator
