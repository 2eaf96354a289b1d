#include "coordinator/core/submit.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/ids.h"
#include "base/status.h"
#include "coordinator/core/explain.h"
#include "coordinator/core/placement.h"
#include "coordinator/core/run_place.h"

namespace trainyard::coordinator {
namespace {

// Why a submission is refused, with the word for programs.
struct Refusal {
  absl::Status status;
  std::string reason;
};

std::optional<Refusal> CheckStore(const State& state, size_t jobs) {
  if (!state.read_only_reason.empty()) {
    return Refusal{absl::ResourceExhaustedError(
                       absl::StrCat("the coordinator takes no new jobs: ", state.read_only_reason)),
                   "READ_ONLY"};
  }
  const size_t limit = state.options.max_live_jobs;
  if (state.live.size() + jobs > limit) {
    return Refusal{absl::ResourceExhaustedError(absl::StrCat(
                       "there are ", state.live.size(), " jobs that are not finished, at most ",
                       limit, " are kept: cancel some or wait")),
                   "TOO_MANY_JOBS"};
  }
  return std::nullopt;
}

// The jobs that a draft waits for, by id. `stages` holds the ids of its own pipeline's stages.
absl::StatusOr<std::vector<std::string>> ResolveAfter(
    State& state, const JobDraft& job, const std::map<std::string, std::string>& stages) {
  std::set<std::string> names(job.shape.after.begin(), job.shape.after.end());
  for (const ArtifactInput& input : job.shape.inputs) names.insert(input.job);
  std::set<std::string> ids;
  for (const std::string& name : names) {
    const auto stage = stages.find(name);
    if (stage != stages.end()) {
      ids.insert(stage->second);
      continue;
    }
    const Job* other = state.FindJobByIdOrName(name);
    if (other == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat(
          "job '", job.name, "' waits for '", name,
          "', which is neither a stage of its pipeline nor a job: submit that one first"));
    }
    ids.insert(other->record.id);
  }
  return std::vector<std::string>(ids.begin(), ids.end());
}

absl::StatusOr<std::string> ResolveExtension(State& state, const JobDraft& job) {
  if (job.shape.extend_job.empty()) return "";
  const Job* other = state.FindJobByIdOrName(job.shape.extend_job);
  if (other == nullptr || other->checkpoints.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("job '", job.name, "' extends '", job.shape.extend_job, "', which ",
                     other == nullptr ? "does not exist" : "has no committed checkpoint"));
  }
  return other->record.id;
}

// FailedPrecondition when the gang would not fit the empty cluster.
absl::Status CheckPlaceable(const State& state, const JobRecord& record) {
  if (!state.options.refuse_unplaceable || state.nodes.empty()) return absl::OkStatus();
  Room room = MakeRoom(state, Occupied::kByNobody);
  if (room.nodes.empty()) return absl::OkStatus();
  const PlacementRequest request{record.id, GangOf(record), &record.shape->roots, nullptr};
  if (PlaceAll(request, room).has_value()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "job '", record.name, "' can not start on this cluster: ", DescribeMisfit(state, record)));
}

struct Origin {
  std::string principal;
  std::string pipeline_id;
  std::string request_id;
  std::string body_digest;
};

JobRecord MakeRecord(const JobDraft& job, std::vector<std::string> after, const Origin& origin) {
  JobRecord record;
  record.id = job.id;
  record.name = job.name;
  record.principal = origin.principal;
  record.pipeline_id = origin.pipeline_id;
  record.stage = origin.pipeline_id.empty() ? "" : job.name;
  record.request_id = origin.request_id;
  record.body_digest = origin.body_digest;
  record.secret = job.secret;
  record.shape = std::make_shared<const JobShape>(job.shape);
  record.spec = std::make_shared<const std::string>(job.spec);
  record.after = std::move(after);
  record.state = JobState::kBlocked;
  for (const RoleShape& role : job.shape.roles) {
    if (role.elastic) record.wanted[role.name] = role.count;
  }
  return record;
}

absl::StatusOr<JobRecord> CheckJob(Draft& draft, const JobDraft& job, const Origin& origin,
                                   const std::map<std::string, std::string>& stages) {
  TY_RETURN_IF_ERROR(ValidateName("job name", job.name));
  TY_RETURN_IF_ERROR(
      Annotate(ValidateShape(job.shape, draft.options()), absl::StrCat("job '", job.name, "'")));
  if (draft.state().FindJob(job.id) != nullptr) {
    return absl::InternalError(absl::StrCat("job id ", job.id, " was drawn twice"));
  }
  TY_ASSIGN_OR_RETURN(std::string extended, ResolveExtension(draft.state(), job));
  TY_ASSIGN_OR_RETURN(std::vector<std::string> after, ResolveAfter(draft.state(), job, stages));
  JobRecord record = MakeRecord(job, std::move(after), origin);
  record.extended_job = std::move(extended);
  TY_RETURN_IF_ERROR(CheckRunPlace(draft.state(), record));
  TY_RETURN_IF_ERROR(CheckPlaceable(draft.state(), record));
  return record;
}

std::string ReasonOf(const absl::Status& status) {
  if (absl::IsAlreadyExists(status)) return "RUN_URI_TAKEN";
  return status.code() == absl::StatusCode::kFailedPrecondition ? "CAN_NOT_FIT" : "SPEC_INVALID";
}

void AcceptJob(Draft& draft, JobRecord record) {
  const Job& job = draft.AddJob(std::move(record));
  draft.NoteJob("job.submitted", job, absl::StrCat("'", job.record.name, "' accepted"));
}

// The stages so that each comes after those it waits for. InvalidArgument names a circle.
absl::StatusOr<std::vector<JobRecord>> InOrder(std::vector<JobRecord> stages) {
  std::map<std::string, JobRecord> pending;
  for (JobRecord& stage : stages) pending[stage.id] = std::move(stage);
  std::vector<JobRecord> ordered;
  size_t before = 0;
  do {
    before = ordered.size();
    for (auto it = pending.begin(); it != pending.end();) {
      const auto& after = it->second.after;
      const bool waits = std::any_of(after.begin(), after.end(),
                                     [&](const std::string& id) { return pending.count(id) > 0; });
      if (!waits) ordered.push_back(std::move(it->second));
      it = waits ? std::next(it) : pending.erase(it);
    }
  } while (!pending.empty() && ordered.size() > before);
  if (pending.empty()) return ordered;
  std::vector<std::string> names;
  for (const auto& [id, stage] : pending) names.push_back(stage.stage);
  return absl::InvalidArgumentError(
      absl::StrCat("stages wait for one another in a circle: ", absl::StrJoin(names, ", ")));
}

absl::StatusOr<std::vector<JobRecord>> CheckStages(Draft& draft, const SubmitPipeline& event) {
  TY_RETURN_IF_ERROR(ValidateName("pipeline name", event.name));
  if (event.stages.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("pipeline '", event.name, "' has no stages: give at least one"));
  }
  std::map<std::string, std::string> ids;
  std::map<std::string, std::string> run_uris;
  for (const JobDraft& stage : event.stages) {
    const auto [other, fresh] = run_uris.emplace(stage.shape.run_uri, stage.name);
    if (!fresh) {
      return absl::InvalidArgumentError(absl::StrCat(
          "stages '", other->second, "' and '", stage.name, "' of pipeline '", event.name,
          "' have the same run_uri ", stage.shape.run_uri, ": leave it out, each gets its own"));
    }
    if (!ids.emplace(stage.name, stage.id).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("pipeline '", event.name, "' has two stages '", stage.name, "'"));
    }
  }
  std::vector<JobRecord> records;
  for (const JobDraft& stage : event.stages) {
    TY_ASSIGN_OR_RETURN(
        JobRecord record,
        CheckJob(draft, stage, {event.principal, event.id, "", event.body_digest}, ids));
    records.push_back(std::move(record));
  }
  return InOrder(std::move(records));
}

Refusal RequestReused(const std::string& request_id, const std::string& holder) {
  return {absl::AlreadyExistsError(
              absl::StrCat("request id '", request_id, "' was used for ", holder,
                           " with another content: use a fresh request id for a new submission")),
          "REQUEST_ID_REUSED"};
}

}  // namespace

absl::Status ValidateShape(const JobShape& shape, const CoreOptions& options) {
  if (shape.roles.empty()) return absl::InvalidArgumentError("it has no roles");
  std::set<std::string> names;
  int64_t tasks = 0;
  for (const RoleShape& role : shape.roles) {
    TY_RETURN_IF_ERROR(ValidateName("role", role.name));
    const std::string who = absl::StrCat("role '", role.name, "': ");
    const auto bad = [&](absl::string_view what) {
      return absl::InvalidArgumentError(absl::StrCat(who, what));
    };
    if (!names.insert(role.name).second) return bad("it is given twice");
    if (role.count < (role.elastic ? 0 : 1)) return bad(absl::StrCat("count is ", role.count));
    if (role.resources.gpus < 0 || role.resources.gpus > 1) {
      return bad(absl::StrCat("gpus is ", role.resources.gpus, ", a task has 0 or 1"));
    }
    if (role.resources.cpu_milli < 0 || role.resources.memory_bytes < 0) {
      return bad("resources are negative");
    }
    const double fraction = role.resources.gpu_memory_fraction;
    if (!(fraction >= 0 && fraction <= 1)) {
      return bad(absl::StrCat("gpu_memory_fraction is ", fraction, ", at most 1"));
    }
    tasks += role.count;
  }
  if (tasks > options.max_tasks_per_job) {
    return absl::InvalidArgumentError(
        absl::StrCat("it asks for ", tasks, " tasks, at most ", options.max_tasks_per_job));
  }
  if (shape.max_attempts < 1) {
    return absl::InvalidArgumentError(absl::StrCat("max_attempts is ", shape.max_attempts));
  }
  return absl::OkStatus();
}

void OnSubmitJob(Draft& draft, const SubmitJob& event) {
  State& state = draft.state();
  draft.SetPrincipal(event.principal);
  const auto known = state.job_by_request.find(event.request_id);
  if (!event.request_id.empty() && known != state.job_by_request.end()) {
    if (state.jobs.at(known->second).record.body_digest == event.body_digest) {
      return draft.AnswerJob(event.call, known->second);
    }
    const Refusal refusal = RequestReused(event.request_id, "job " + known->second);
    return draft.Refuse(event.call, refusal.status, refusal.reason);
  }
  if (const auto refusal = CheckStore(state, 1)) {
    return draft.Refuse(event.call, refusal->status, refusal->reason);
  }
  const auto named = state.live_by_name.find(event.job.name);
  if (named != state.live_by_name.end()) {
    return draft.Refuse(event.call,
                        absl::AlreadyExistsError(absl::StrCat(
                            "job ", named->second, " of the name '", event.job.name,
                            "' is not finished: choose another name, or cancel it first")),
                        "NAME_TAKEN");
  }
  const Origin origin{event.principal, "", event.request_id, event.body_digest};
  absl::StatusOr<JobRecord> record = CheckJob(draft, event.job, origin, {});
  if (!record.ok()) return draft.Refuse(event.call, record.status(), ReasonOf(record.status()));
  if (event.validate_only) {
    return draft.Answer({event.call, absl::OkStatus(), "", *std::move(record)});
  }
  AcceptJob(draft, *std::move(record));
  draft.AnswerJob(event.call, event.job.id);
}

void OnSubmitPipeline(Draft& draft, const SubmitPipeline& event) {
  State& state = draft.state();
  draft.SetPrincipal(event.principal);
  const auto known = state.pipeline_by_request.find(event.request_id);
  if (!event.request_id.empty() && known != state.pipeline_by_request.end()) {
    if (state.pipelines.at(known->second).body_digest == event.body_digest) {
      return draft.AnswerPipeline(event.call, known->second);
    }
    const Refusal refusal = RequestReused(event.request_id, "pipeline " + known->second);
    return draft.Refuse(event.call, refusal.status, refusal.reason);
  }
  if (const auto refusal = CheckStore(state, event.stages.size())) {
    return draft.Refuse(event.call, refusal->status, refusal->reason);
  }
  absl::StatusOr<std::vector<JobRecord>> stages = CheckStages(draft, event);
  if (!stages.ok()) return draft.Refuse(event.call, stages.status(), ReasonOf(stages.status()));
  PipelineRecord pipeline{event.id, event.name, event.principal, event.request_id,
                          event.body_digest};
  for (const JobDraft& stage : event.stages) pipeline.job_ids.push_back(stage.id);
  if (event.validate_only) {
    return draft.Answer({event.call, absl::OkStatus(), "", std::move(pipeline)});
  }
  draft.AddPipeline(std::move(pipeline));
  for (JobRecord& stage : *stages) AcceptJob(draft, std::move(stage));
  draft.AnswerPipeline(event.call, event.id);
}

}  // namespace trainyard::coordinator
