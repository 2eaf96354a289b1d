#include "worker/worker_spec.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "spec/fields.h"
#include "task/job_spec.h"
#include "worker/spec_fields.h"

namespace trainyard::worker {
namespace {

absl::StatusOr<data::TooLong> ParseOverlong(const std::string& name) {
  if (name.empty() || name == "drop") return data::TooLong::kDrop;
  if (name == "refuse") return data::TooLong::kRefuse;
  return absl::InvalidArgumentError(
      absl::StrCat("data.overlong is \"", name, "\", must be drop or refuse"));
}

absl::Status ParseData(const v1::DataSpec& wire, const task::Assignment& assignment,
                       TrainJob* job) {
  data::DatasetSpec& train = job->train;
  train.objective = job->kind == TrainKind::kPretrain ? data::Objective::kPretrain
                    : job->kind == TrainKind::kSft    ? data::Objective::kSft
                                                      : data::Objective::kRewardModel;
  train.seed = wire.seed() == 0 ? job->seed : wire.seed();
  train.max_tokens = wire.max_length();
  train.max_answer_tokens = wire.max_answer_tokens();
  TY_ASSIGN_OR_RETURN(train.too_long, ParseOverlong(wire.overlong()));
  train.document_end_token = wire.end_of_text();
  job->validation = train;
  TY_ASSIGN_OR_RETURN(train.sources, ParseSources(wire.train(), assignment));
  if (train.sources.empty()) return absl::InvalidArgumentError("data.train is empty");
  TY_ASSIGN_OR_RETURN(job->validation.sources, ParseSources(wire.validation(), assignment));
  for (data::DatasetSpec* dataset : {&job->train, &job->validation}) {
    for (data::SourceSpec& source : dataset->sources) {
      source.max_bad_rows = wire.max_bad_rows();
      source.instruction_templates.assign(wire.instruction_templates().begin(),
                                          wire.instruction_templates().end());
    }
  }
  job->batch.seed = train.seed;
  job->batch.isolate_documents = wire.isolate_documents();
  return absl::OkStatus();
}

// What all three training specs have.
template <typename Spec>
absl::Status ParseCommon(const Spec& spec, const task::Assignment& assignment, TrainJob* job) {
  TY_RETURN_IF_ERROR(ParseData(spec.data(), assignment, job));
  TY_ASSIGN_OR_RETURN(job->optimizer, ParseOptimizer(spec.optimizer()));
  TY_ASSIGN_OR_RETURN(job->loop, ParseLoop(spec.loop()));
  job->passes = spec.loop().passes() == 0 ? 1 : spec.loop().passes();
  job->keep_checkpoints = spec.loop().keep_checkpoints() == 0 ? 2 : spec.loop().keep_checkpoints();
  job->deterministic = spec.loop().deterministic();
  job->batch.packs_per_step = spec.loop().global_batch();
  if (spec.loop().micro_batch_tokens() > 0) {
    job->batch.micro_batch_tokens = spec.loop().micro_batch_tokens();
  }
  TY_ASSIGN_OR_RETURN(job->dtype, ParseDtype(spec.dtype()));
  if (spec.has_init_from()) {
    TY_ASSIGN_OR_RETURN(job->init_from,
                        task::ResolveFile(spec.init_from(), "init_from", assignment));
  }
  TY_ASSIGN_OR_RETURN(job->tokenizer_directory,
                      task::ResolveTokenizer(spec.data().tokenizer(), spec.init_from(),
                                             "data.tokenizer", assignment));
  if (job->kind == TrainKind::kPretrain) return absl::OkStatus();
  TY_ASSIGN_OR_RETURN(job->chat_template, spec::ParseChatTemplate(spec.data().chat_template(),
                                                                  job->tokenizer_directory));
  return absl::OkStatus();
}

absl::StatusOr<WorkerJob> ParsePretrain(const v1::PretrainSpec& spec,
                                        const task::Assignment& assignment, TrainJob job) {
  job.kind = TrainKind::kPretrain;
  TY_RETURN_IF_ERROR(ParseCommon(spec, assignment, &job));
  if (spec.has_model() == spec.has_init_from()) {
    return absl::InvalidArgumentError("pretrain needs exactly one of model and init_from");
  }
  if (spec.has_model()) {
    TY_ASSIGN_OR_RETURN(job.new_model, ParseModel(spec.model()));
  }
  return job;
}

absl::StatusOr<WorkerJob> ParseSft(const v1::SftSpec& spec, const task::Assignment& assignment,
                                   TrainJob job) {
  job.kind = TrainKind::kSft;
  TY_RETURN_IF_ERROR(ParseCommon(spec, assignment, &job));
  if (!spec.has_init_from()) return absl::InvalidArgumentError("sft.init_from is missing");
  if (spec.has_lora()) {
    TY_ASSIGN_OR_RETURN(job.lora, ParseLora(spec.lora()));
  }
  job.z_loss = spec.z_loss();
  return job;
}

absl::StatusOr<WorkerJob> ParseRewardModel(const v1::RewardModelSpec& spec,
                                           const task::Assignment& assignment, TrainJob job) {
  job.kind = TrainKind::kRewardModel;
  TY_RETURN_IF_ERROR(ParseCommon(spec, assignment, &job));
  if (!spec.has_init_from()) {
    return absl::InvalidArgumentError("reward_model.init_from is missing");
  }
  if (spec.has_lora()) {
    TY_ASSIGN_OR_RETURN(job.lora, ParseLora(spec.lora()));
  }
  job.batch.group_size = spec.group_size();
  job.batch.min_rating_gap = spec.min_gap();
  job.batch.token_dropout = spec.token_dropout();
  job.reward.margin = spec.margin();
  job.reward.min_gap = spec.min_gap();
  if (spec.has_normalization()) {
    TY_ASSIGN_OR_RETURN(job.reward.reference, ParseSource(spec.normalization(), assignment));
  }
  job.reward.reference_finished_only =
      !spec.has_normalization_finished_only() || spec.normalization_finished_only();
  return job;
}

absl::StatusOr<WorkerJob> ParseTokenizer(const v1::TokenizerSpec& spec,
                                         const task::Assignment& assignment) {
  TokenizerJob job;
  TY_ASSIGN_OR_RETURN(job.sources, ParseSources(spec.train(), assignment));
  job.vocab_size = spec.vocab_size();
  job.special_tokens.assign(spec.special_tokens().begin(), spec.special_tokens().end());
  job.end_of_text = spec.end_of_text();
  job.pad = spec.pad();
  if (spec.min_frequency() > 0) job.min_frequency = spec.min_frequency();
  return job;
}

absl::StatusOr<WorkerJob> ParseTokenize(const v1::TokenizeSpec& spec,
                                        const task::Assignment& assignment) {
  TokenizeJob job;
  TY_ASSIGN_OR_RETURN(job.sources, ParseSources(spec.data().train(), assignment));
  for (data::SourceSpec& source : job.sources) source.max_bad_rows = spec.data().max_bad_rows();
  TY_ASSIGN_OR_RETURN(job.tokenizer_directory,
                      task::ResolveTokenizer(spec.data().tokenizer(), {}, "data.tokenizer",
                                             assignment));
  if (spec.shard_tokens() > 0) job.shard_tokens = spec.shard_tokens();
  job.threads = assignment.threads;
  return job;
}

}  // namespace

absl::StatusOr<WorkerJob> ParseWorkerJob(const task::Assignment& assignment) {
  TY_ASSIGN_OR_RETURN(const v1::JobSpec spec, task::JobSpecOf(assignment));
  TrainJob train;
  train.seed = spec.seed();
  train.allow_numerics_change = spec.allow_numerics_change();
  switch (spec.kind_case()) {
    case v1::JobSpec::kPretrain:
      return ParsePretrain(spec.pretrain(), assignment, std::move(train));
    case v1::JobSpec::kSft:
      return ParseSft(spec.sft(), assignment, std::move(train));
    case v1::JobSpec::kRewardModel:
      return ParseRewardModel(spec.reward_model(), assignment, std::move(train));
    case v1::JobSpec::kTokenizer:
      return ParseTokenizer(spec.tokenizer(), assignment);
    case v1::JobSpec::kTokenize:
      return ParseTokenize(spec.tokenize(), assignment);
    case v1::JobSpec::kPpo:
      return LearnerJob{};
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("job ", assignment.job_name, " of kind ", spec.kind_case(),
                       " is not for trainyard-worker"));
  }
}

}  // namespace trainyard::worker
