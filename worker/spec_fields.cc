#include "worker/spec_fields.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "spec/fields.h"
#include "task/job_spec.h"

namespace trainyard::worker {
namespace {

namespace fs = std::filesystem;

using spec::Or;

}  // namespace

absl::StatusOr<data::SourceSpec> ParseSource(const v1::DataSource& source,
                                             const task::Assignment& assignment) {
  data::SourceSpec parsed;
  TY_ASSIGN_OR_RETURN(std::string path,
                      task::ResolveFile(source.file(), "data source", assignment));
  parsed.name = spec::NameOf(source.file());
  std::error_code error;
  const bool directory = fs::is_directory(path, error);
  if (directory && !fs::exists(fs::path(path) / "manifest.json", error)) {
    return absl::NotFoundError(absl::StrCat(path, " is a directory without manifest.json"));
  }
  if (directory && source.format() != "shards") {
    const absl::StatusOr<std::string> rows = spec::RowsFile(path);
    if (rows.ok()) {
      path = *rows;
    } else if (!source.format().empty()) {
      return rows.status();
    }
  }
  TY_ASSIGN_OR_RETURN(parsed.format, data::ResolveSourceFormat(source.format(), path));
  parsed.paths = {path};
  parsed.share.token_budget = source.token_budget();
  parsed.share.weight = source.token_budget() > 0 ? 0 : source.weight();
  parsed.groups.assign(source.groups().begin(), source.groups().end());
  return parsed;
}

absl::StatusOr<std::vector<data::SourceSpec>> ParseSources(
    const google::protobuf::RepeatedPtrField<v1::DataSource>& sources,
    const task::Assignment& assignment) {
  std::vector<data::SourceSpec> parsed;
  bool weighted = false;
  for (const v1::DataSource& source : sources) {
    TY_ASSIGN_OR_RETURN(parsed.emplace_back(), ParseSource(source, assignment));
    weighted = weighted || parsed.back().share.weight > 0;
  }
  // Once one source has a weight, the others weigh 1.
  for (data::SourceSpec& source : parsed) {
    if (!weighted || source.share.token_budget > 0) continue;
    source.share.weight = Or(source.share.weight, 1.0);
  }
  return parsed;
}

absl::StatusOr<OptimizerJob> ParseOptimizer(const v1::OptimizerSpec& spec) {
  OptimizerJob job;
  job.adamw.beta1 = Or(spec.beta1(), 0.9);
  job.adamw.beta2 = Or(spec.beta2(), 0.95);
  job.adamw.eps = Or(spec.eps(), 1e-8);
  job.adamw.weight_decay = spec.weight_decay();
  for (const v1::OptimizerGroup& group : spec.groups()) {
    ParameterGroup& parsed = job.adamw.groups.emplace_back();
    parsed.pattern = group.pattern();
    if (group.has_lr_scale()) parsed.lr_scale = group.lr_scale();
    if (group.has_weight_decay()) parsed.weight_decay = group.weight_decay();
  }
  job.clip_norm = Or(spec.clip_norm(), 1.0);
  TY_ASSIGN_OR_RETURN(job.schedule.kind, ScheduleKindFromName(
                                             spec.schedule().empty() ? "cosine" : spec.schedule()));
  job.schedule.peak = spec.lr();
  if (spec.warmup_steps() > 0 && spec.warmup_ratio() > 0) {
    return absl::InvalidArgumentError(
        "optimizer.warmup_steps and optimizer.warmup_ratio are both given: keep one");
  }
  job.schedule.warmup_steps = spec.warmup_steps();
  job.warmup_ratio = spec.warmup_ratio();
  if (!(job.warmup_ratio >= 0 && job.warmup_ratio <= 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("optimizer.warmup_ratio is ", job.warmup_ratio, ", must be in 0..1"));
  }
  if (spec.has_final_ratio()) job.schedule.final_ratio = spec.final_ratio();
  if (spec.has_decay_ratio()) job.schedule.decay_ratio = spec.decay_ratio();
  job.spike_guard.z_limit = spec.spike_z();
  return job;
}

absl::StatusOr<checkpoint::DType> ParseDtype(v1::Dtype dtype) {
  switch (dtype) {
    case v1::DTYPE_UNSPECIFIED:
    case v1::FLOAT32:
      return checkpoint::DType::kF32;
    case v1::BFLOAT16:
      return checkpoint::DType::kBF16;
    case v1::FLOAT64:
      return checkpoint::DType::kF64;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("dtype is ", static_cast<int>(dtype), ", must be FLOAT32 or BFLOAT16"));
  }
}

absl::StatusOr<model::AdapterOptions> ParseLora(const v1::LoraSpec& spec) {
  if (spec.dropout() != 0) {
    return absl::InvalidArgumentError(absl::StrCat("lora.dropout is ", spec.dropout(),
                                                   ", must be left out: there is no dropout"));
  }
  if (spec.rank() < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("lora.rank is ", spec.rank(), ", must be at least 1"));
  }
  return model::AdapterOptions{
      spec.rank(), spec.alpha(), {spec.targets().begin(), spec.targets().end()}};
}

absl::StatusOr<NewModel> ParseModel(const v1::ModelSpec& spec) {
  if (spec.dropout() != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("model.dropout is ", spec.dropout(), ", must be 0: there is no dropout"));
  }
  NewModel parsed;
  model::ModelConfig& config = parsed.config;
  if (spec.family() == "gpt2") {
    config.family = model::Family::kGpt2;
  } else if (spec.family() != "llama") {
    return absl::InvalidArgumentError(
        absl::StrCat("model.family is \"", spec.family(), "\", must be llama or gpt2"));
  }
  config.model_type = spec.family();
  config.layers = spec.layers();
  config.width = spec.hidden_size();
  config.heads = spec.heads();
  config.kv_heads = Or(spec.kv_heads(), spec.heads());
  config.head_width = spec.heads() > 0 ? config.width / spec.heads() : 0;
  config.ffn_width = Or<int64_t>(spec.intermediate_size(), 4 * config.width);
  config.max_positions = spec.context();
  config.vocab_size = spec.vocab_size();
  config.norm_epsilon = Or(spec.norm_eps(), 1e-5);
  config.rope_theta = Or(spec.rope_theta(), 10000.0);
  config.tied_head = !spec.has_tie_embeddings() || spec.tie_embeddings();
  parsed.init_std = Or(spec.init_std(), 0.02);
  return parsed;
}

absl::StatusOr<LoopOptions> ParseLoop(const v1::LoopSpec& spec) {
  if (spec.steps() < 0 || spec.passes() < 0) {
    return absl::InvalidArgumentError("loop.steps and loop.passes must be >= 0");
  }
  if (spec.global_batch() < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("loop.global_batch is ", spec.global_batch(), ", must be >= 1"));
  }
  LoopOptions loop;
  loop.total_steps = spec.steps();
  loop.eval_every = spec.eval_every();
  loop.checkpoint_every_steps = spec.checkpoint_every_steps();
  loop.checkpoint_every = absl::Seconds(Or(spec.checkpoint_every_seconds(), 600.0));
  loop.log_every = Or<int64_t>(spec.log_every(), 1);
  return loop;
}

}  // namespace trainyard::worker
