#include "worker/train_run.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cmath>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/log.h"
#include "base/status.h"
#include "model/adapter_files.h"
#include "model/adapters.h"
#include "model/catch_torch.h"
#include "model/numerics.h"
#include "worker/normalisation.h"
#include "worker/objective_lm.h"
#include "worker/objective_reward_model.h"

namespace trainyard::worker {
namespace {

constexpr absl::Duration kCoordinatorTimeout = absl::Minutes(10);

at::Device DeviceOf(const task::Assignment& assignment) {
  return assignment.gpus.empty() ? at::Device(at::kCPU) : at::Device(at::kCUDA, 0);
}

}  // namespace

absl::StatusOr<TrainOutcome> TrainRun::Run() {
  EnterPhase("load");
  TY_RETURN_IF_ERROR(Build());
  TY_RETURN_IF_ERROR(Restore());
  TY_RETURN_IF_ERROR(AgreeOnStart());
  TY_ASSIGN_OR_RETURN(const TrainOutcome outcome, Train());
  if (outcome == TrainOutcome::kStopped) return outcome;
  EnterPhase("finish");
  TY_RETURN_IF_ERROR(Publish());
  // Nobody leaves before the job's outcome is recorded.
  TY_RETURN_IF_ERROR(context_.group->Barrier());
  return outcome;
}

absl::Status TrainRun::Build() {
  TY_ASSIGN_OR_RETURN(tokenizer_, OpenTokenizer(job_.tokenizer_directory));
  if (job_.chat_template.has_value()) {
    TY_ASSIGN_OR_RETURN(
        chat_template_, tokenizer::ChatTemplate::Bind(*job_.chat_template, *tokenizer_.tokenizer));
  }
  TY_RETURN_IF_ERROR(BuildModel());
  TY_RETURN_IF_ERROR(BuildData());
  TY_RETURN_IF_ERROR(ResolveSteps());
  ParameterSetOptions options;
  options.name = "model";
  options.adamw = job_.optimizer.adamw;
  options.clip_norm = job_.optimizer.clip_norm;
  TY_ASSIGN_OR_RETURN(
      parameters_,
      ParameterSet::Create(model::TrainedParameters(model_.model), context_.group, options));
  UseExactMasters(model_, parameters_->optimizer());
  model_.exact.clear();
  spike_guard_ = std::make_unique<SpikeGuard>(job_.optimizer.spike_guard);
  CheckpointerOptions checkpoints;
  checkpoints.run_uri = context_.place->uri;
  checkpoints.run_directory = context_.place->directory;
  checkpoints.roots = context_.assignment->roots;
  checkpoints.epoch = context_.place->epoch;
  checkpoints.numerics_id = context_.place->numerics_id;
  checkpoints.keep = job_.keep_checkpoints;
  checkpoints.metric_higher_is_better = objective_->higher_is_better();
  checkpoints.stand_alone = context_.place->stand_alone;
  checkpointer_ = std::make_unique<Checkpointer>(checkpoints, parameters_->optimizer().State(),
                                                 context_.group, context_.session);
  return absl::OkStatus();
}

absl::Status TrainRun::BuildModel() {
  TY_ASSIGN_OR_RETURN(model_,
                      BuildTrainModel(job_, tokenizer_, DeviceOf(*context_.assignment)));
  model::ModelConfig& config = model_.model.config;
  if (chat_template_.has_value()) {
    config.eos_token_id = chat_template_->end_of_turn();
  } else {
    std::string& end = job_.train.document_end_token;
    if (end.empty()) end = tokenizer_.end_token;
    if (end.empty()) {
      return absl::InvalidArgumentError(
          "data.end_of_text is missing, and the tokenizer's config names no eos_token");
    }
    TY_ASSIGN_OR_RETURN(config.eos_token_id, tokenizer_.tokenizer->RequireAddedId(end));
  }
  if (job_.kind == TrainKind::kRewardModel) {
    const model::RankingOptions ranking{job_.reward.margin, job_.reward.min_gap};
    objective_ = std::make_unique<RewardModelObjective>(&model_.model, ranking);
  } else {
    objective_ = std::make_unique<LmObjective>(&model_.model, job_.z_loss);
  }
  Log().info("model: {} parameters, {}, tokenizer of {} ids",
             model::ParameterCount(config), model::ComputeTypeName(job_.dtype),
             tokenizer_.tokenizer->vocabulary_size());
  if (job_.lora.has_value()) {
    int64_t trained = 0;
    for (const NamedTensor& tensor : model::TrainedParameters(model_.model)) {
      trained += tensor.tensor.numel();
    }
    Log().info("adapters of rank {}: {} numbers are trained", job_.lora->rank, trained);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<data::Dataset>> TrainRun::Load(data::DatasetSpec spec) const {
  const int64_t context = model_.model.config.max_positions;
  if (spec.max_tokens == 0) spec.max_tokens = static_cast<int32_t>(context);
  if (spec.max_tokens > context) {
    return absl::InvalidArgumentError(absl::StrCat("data.max_length is ", spec.max_tokens,
                                                   ", the model's context ", context));
  }
  spec.document_end_token = job_.train.document_end_token;
  data::DatasetContext context_of_data;
  context_of_data.tokenizer = tokenizer_.tokenizer.get();
  context_of_data.chat_template = chat_template_.has_value() ? &*chat_template_ : nullptr;
  context_of_data.threads = at::get_num_threads();
  TY_ASSIGN_OR_RETURN(auto dataset, data::Dataset::Load(spec, context_of_data));
  for (const data::SourceReport& report : dataset->reports()) {
    Log().info("{}: {} rows, {} samples, {} tokens ({} trained), {} dropped as too long, {} bad",
               report.name, report.counts.rows, report.samples, report.tokens,
               report.trained_tokens, report.dropped_too_long, report.counts.bad_rows);
  }
  return dataset;
}

absl::Status TrainRun::BuildData() {
  data::BatchOptions options = job_.batch;
  if (options.token_dropout > 0) {
    if (tokenizer_.pad_id < 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "token_dropout needs a pad token, ", tokenizer_.directory, " names none"));
    }
    options.dropout_id = static_cast<int32_t>(tokenizer_.pad_id);
  }
  const data::RankOptions rank{context_.group->rank(), context_.group->world_size()};
  TY_ASSIGN_OR_RETURN(dataset_, Load(job_.train));
  TY_ASSIGN_OR_RETURN(builder_, data::BatchBuilder::Create(*dataset_, options, rank));
  if (job_.validation.sources.empty()) return absl::OkStatus();
  TY_ASSIGN_OR_RETURN(validation_dataset_, Load(job_.validation));
  TY_ASSIGN_OR_RETURN(const auto validation,
                      data::BatchBuilder::Create(*validation_dataset_, options, rank));
  TY_ASSIGN_OR_RETURN(validation_batches_, validation->ValidationMicroBatches());
  return absl::OkStatus();
}

absl::Status TrainRun::ResolveSteps() {
  if (job_.loop.total_steps == 0) {
    TY_ASSIGN_OR_RETURN(job_.loop.total_steps, builder_->StepsIn(job_.passes));
  }
  if (job_.loop.total_steps < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(job_.passes, " passes over the data are less than one step of ",
                     job_.batch.packs_per_step));
  }
  Schedule& schedule = job_.optimizer.schedule;
  schedule.total_steps = job_.loop.total_steps;
  if (job_.optimizer.warmup_ratio > 0) {
    schedule.warmup_steps = std::llround(job_.optimizer.warmup_ratio * schedule.total_steps);
  }
  return schedule.Validate();
}

absl::Status TrainRun::Restore() {
  state_.cursor = builder_->Start();
  TY_ASSIGN_OR_RETURN(const std::vector<checkpoint::Candidate> candidates,
                      RestoreCandidates(*context_.assignment, *context_.place));
  if (candidates.empty()) return absl::OkStatus();
  TY_ASSIGN_OR_RETURN(const checkpoint::Loaded loaded, checkpoint::LoadFirstGood(candidates));
  for (const std::string& skipped : loaded.skipped) {
    Log().warn("checkpoint passed over: {}", skipped);
  }
  return Annotate(RestoreFrom(loaded), loaded.candidate.directory);
}

absl::Status TrainRun::RestoreFrom(const checkpoint::Loaded& loaded) {
  const checkpoint::Manifest& manifest = loaded.manifest;
  const std::string& numerics_id = context_.place->numerics_id;
  if (manifest.numerics_id != numerics_id) {
    if (!job_.allow_numerics_change) {
      return absl::FailedPreconditionError(absl::StrCat(
          "written by ", manifest.numerics_id, ", this rank computes as ", numerics_id,
          ": the result would have other bits; set allow_numerics_change to go on all the same"));
    }
    Log().warn("numerics change from {} to {}", manifest.numerics_id, numerics_id);
  }
  TY_RETURN_IF_ERROR(model::CheckAdapterRecord(manifest.sections, AdapterSection(),
                                               "the frozen weights of init_from"));
  TY_ASSIGN_OR_RETURN(state_, TrainStateOf(manifest));
  TY_RETURN_IF_ERROR(builder_->CheckCursor(state_.cursor));
  TY_RETURN_IF_ERROR(spike_guard_->Restore(state_.spike_guard));
  std::vector<std::string> files;
  for (const checkpoint::FileRecord& file : manifest.files) {
    if (absl::EndsWith(file.path, ".safetensors")) {
      files.push_back(absl::StrCat(loaded.candidate.directory, "/", file.path));
    }
  }
  AdamW& optimizer = parameters_->optimizer();
  TY_RETURN_IF_ERROR(
      model::CatchTorch("restore", [&] { return ReadShards(files, optimizer.State()); }));
  optimizer.MastersChanged();
  optimizer.set_step_count(state_.updates);
  Log().info("restored step {} from {}", state_.step, loaded.candidate.directory);
  return absl::OkStatus();
}

absl::Status TrainRun::AgreeOnStart() {
  std::string digests = absl::StrCat(state_.step, " ", job_.loop.total_steps, " ",
                                     builder_->fingerprint(), " ", model_.base_digest, " ");
  for (const NamedTensor& tensor : parameters_->optimizer().State()) {
    const at::Tensor host = tensor.tensor.detach().to(at::kCPU).contiguous();
    absl::StrAppend(&digests, Xxh3Hex(host.const_data_ptr(), host.nbytes()));
  }
  const auto own = static_cast<int64_t>(Xxh3Hash64(digests));
  const int world_size = context_.group->world_size();
  const at::Tensor all = at::zeros({world_size, 2}, at::kLong);
  TY_RETURN_IF_ERROR(
      context_.group->AllGather(at::tensor({own, state_.step}, at::kLong).view({1, 2}), all));
  for (int rank = 1; rank < world_size; ++rank) {
    if (at::equal(all[rank], all[0])) continue;
    return absl::InternalError(absl::StrCat(
        "rank ", rank, " starts at step ", all[rank][1].item<int64_t>(), ", rank 0 at step ",
        all[0][1].item<int64_t>(), ", and their weights or data differ: do all ranks see the same "
        "files?"));
  }
  return absl::OkStatus();
}

absl::StatusOr<TrainOutcome> TrainRun::Train() {
  data::BatchStream batches(std::move(builder_), state_.cursor,
                            job_.loop.total_steps - state_.step);
  Step step(objective_.get(), parameters_.get(), spike_guard_.get(), context_.group);
  Validation validation(objective_.get(), &validation_batches_, context_.group);
  TrainerParts parts;
  parts.batches = &batches;
  parts.step = &step;
  parts.objective = objective_.get();
  parts.parameters = parameters_.get();
  parts.spike_guard = spike_guard_.get();
  parts.validation = &validation;
  parts.checkpointer = checkpointer_.get();
  parts.group = context_.group;
  parts.session = context_.session;
  parts.flops_per_token = model::FlopsPerToken(model_.model, dataset_->spec().max_tokens);
  parts.run_sections = RunSections();
  Trainer trainer(parts, job_.loop, job_.optimizer.schedule, state_);
  absl::StatusOr<TrainOutcome> outcome = trainer.Run();
  state_ = trainer.state();
  phase_ = trainer.place().phase;
  validated_ = trainer.validation();
  return outcome;
}

Json TrainRun::RunSections() const {
  Json sections = {{"tokenizer_sha256", tokenizer_.sha256},
                   {"bucket_layout", parameters_->reducer().Layout()},
                   {"world_size", context_.group->world_size()},
                   {"seed", job_.seed},
                   {"model_config", model::ConfigJson(model_.model.config,
                                                      model::ComputeTypeName(job_.dtype))}};
  if (job_.lora.has_value()) sections[model::kAdapterRecord] = AdapterSection();
  return sections;
}

Json TrainRun::AdapterSection() const {
  return model::AdapterRecord(job_.lora, model_.base_digest);
}

absl::StatusOr<model::ModelCard> TrainRun::MakeCard() {
  model::ModelCard card;
  card.tokenizer_sha256 = tokenizer_.sha256;
  card.training_manifest_sha256 = checkpointer_->committed_manifest();
  if (job_.kind != TrainKind::kRewardModel) return card;
  if (!job_.reward.reference.has_value()) {
    if (job_.validation.sources.empty()) return card;
    TY_ASSIGN_OR_RETURN(card.normalisation,
                        FitNormalisation(model_.model, validation_batches_, /*dealt=*/false,
                                         context_.group));
  } else {
    ReferenceOptions options;
    options.finished_only = job_.reward.reference_finished_only;
    options.max_tokens = model_.model.config.max_positions;
    options.micro_batch_tokens = job_.batch.micro_batch_tokens;
    TY_ASSIGN_OR_RETURN(const auto batches, ReferenceMicroBatches(*job_.reward.reference,
                                                                  *chat_template_, options));
    TY_ASSIGN_OR_RETURN(
        card.normalisation,
        FitNormalisation(model_.model, batches, /*dealt=*/true, context_.group));
  }
  Log().info("normalisation: mean {:.4f}, deviation {:.4f} on {} answers",
             card.normalisation->mean, card.normalisation->deviation,
             card.normalisation->samples);
  return card;
}

absl::Status TrainRun::Publish() {
  TY_ASSIGN_OR_RETURN(const model::ModelCard card, MakeCard());
  if (!leads()) return absl::OkStatus();
  TY_ASSIGN_OR_RETURN(const model::Model trained, Trained());
  std::vector<task::Artifact> artifacts;
  TY_ASSIGN_OR_RETURN(artifacts.emplace_back(), PublishModel(trained, card));
  if (job_.lora.has_value()) {
    TY_ASSIGN_OR_RETURN(artifacts.emplace_back(), PublishAdapter(trained, card));
  }
  return context_.session->FinishJob(artifacts, kCoordinatorTimeout);
}

absl::StatusOr<model::Model> TrainRun::Trained() {
  TY_ASSIGN_OR_RETURN(model::Model trained,
                      TrainedModel(model_.model, parameters_->optimizer()));
  if (job_.lora.has_value() && job_.dtype == checkpoint::DType::kBF16) {
    TY_RETURN_IF_ERROR(UseExactBase(job_, tokenizer_, model_.base_digest, trained));
  }
  return trained;
}

absl::StatusOr<task::Artifact> TrainRun::PublishModel(const model::Model& trained,
                                                      const model::ModelCard& card) {
  const std::string type = job_.kind == TrainKind::kRewardModel ? "reward_model" : "model";
  TY_ASSIGN_OR_RETURN(const Output output, BeginOutput(*context_.place, "model", type));
  model::SaveOptions options;
  options.card = card;
  std::vector<checkpoint::FileRecord> files;
  TY_RETURN_IF_ERROR(model::CatchTorch("merge adapters", [&]() -> absl::Status {
    TY_ASSIGN_OR_RETURN(
        files, model::SaveModel(model::MergeAdapters(trained), output.directory, options));
    return absl::OkStatus();
  }));
  return Commit(output, std::move(files));
}

absl::StatusOr<task::Artifact> TrainRun::PublishAdapter(const model::Model& trained,
                                                        const model::ModelCard& card) {
  TY_ASSIGN_OR_RETURN(const Output output, BeginOutput(*context_.place, "adapter", "adapter"));
  TY_ASSIGN_OR_RETURN(
      std::vector<checkpoint::FileRecord> files,
      model::SaveAdapter(trained, output.directory, {.base_model = job_.init_from, .card = card}));
  return Commit(output, std::move(files));
}

absl::StatusOr<task::Artifact> TrainRun::Commit(const Output& output,
                                                std::vector<checkpoint::FileRecord> files) {
  TY_ASSIGN_OR_RETURN(const auto tokenizer_files, CopyTokenizer(
      tokenizer_, job_.chat_template.has_value() ? &*job_.chat_template : nullptr,
      output.directory));
  files.insert(files.end(), tokenizer_files.begin(), tokenizer_files.end());
  Json sections = {{"tokenizer_sha256", tokenizer_.sha256},
                   {"step", state_.step},
                   {"tokens", state_.tokens},
                   {"validation", validated_}};
  if (job_.chat_template.has_value()) {
    sections["chat_template"] = tokenizer::ChatTemplateJson(*job_.chat_template);
  }
  TY_ASSIGN_OR_RETURN(const task::Artifact artifact,
                      CommitOutput(*context_.place, output, files, sections));
  Log().info("{} {}: {} bytes in {}", output.type, artifact.manifest_sha256.substr(0, 12),
             artifact.size_bytes, output.directory);
  return artifact;
}

void TrainRun::EnterPhase(const std::string& phase) {
  phase_ = phase;
  task::Progress progress;
  progress.phase = phase;
  progress.step = state_.step;
  progress.total_steps = job_.loop.total_steps;
  context_.session->Report(progress);
}

}  // namespace trainyard::worker
