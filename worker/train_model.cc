#include "worker/train_model.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "model/adapters.h"
#include "model/catch_torch.h"

namespace trainyard::worker {
namespace {

// What is kept at full precision: float64 for float64 runs, else fp32.
at::ScalarType ExactType(const TrainJob& job) {
  return job.dtype == checkpoint::DType::kF64 ? at::kDouble : at::kFloat;
}

absl::StatusOr<model::Model> ExactModel(const TrainJob& job, const TokenizerFiles& tokenizer,
                                        at::Device device) {
  model::InitOptions init;
  init.seed = job.seed;
  init.dtype = ExactType(job);
  init.device = device;
  if (job.new_model.has_value()) {
    model::ModelConfig config = job.new_model->config;
    if (config.vocab_size == 0) config.vocab_size = tokenizer.tokenizer->vocabulary_size();
    init.standard_deviation = job.new_model->init_std;
    TY_RETURN_IF_ERROR(model::ValidateConfig(config));
    return model::InitModel(config, init);
  }
  model::LoadOptions load;
  load.dtype = init.dtype;
  load.device = device;
  if (job.kind != TrainKind::kRewardModel) load.head = model::Head::kLm;
  TY_ASSIGN_OR_RETURN(model::LoadedModel loaded, model::LoadModel(job.init_from, load));
  for (const std::string& ignored : loaded.ignored) Log().info("{}: {}", job.init_from, ignored);
  const std::string& bound_to = loaded.card.tokenizer_sha256;
  if (!bound_to.empty() && bound_to != tokenizer.sha256) {
    return absl::FailedPreconditionError(
        absl::StrCat(job.init_from, " was trained with tokenizer ", bound_to.substr(0, 12),
                     ", data.tokenizer is ", tokenizer.sha256.substr(0, 12), " (",
                     tokenizer.directory, "): use the model's own"));
  }
  if (job.kind != TrainKind::kRewardModel || loaded.model.config.head == model::Head::kScalar) {
    return std::move(loaded.model);
  }
  return model::WithScalarHead(loaded.model, init);
}

}  // namespace

absl::StatusOr<TrainModel> BuildTrainModel(const TrainJob& job, const TokenizerFiles& tokenizer,
                                           at::Device device) {
  TrainModel built;
  TY_ASSIGN_OR_RETURN(built.model, ExactModel(job, tokenizer, device));
  model::ModelConfig& config = built.model.config;
  if (tokenizer.tokenizer->vocabulary_size() > config.vocab_size) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the tokenizer ", tokenizer.directory, " has ", tokenizer.tokenizer->vocabulary_size(),
        " ids, the model's vocabulary only ", config.vocab_size));
  }
  config.pad_token_id = tokenizer.pad_id;
  TY_RETURN_IF_ERROR(model::CatchTorch("model", [&]() -> absl::Status {
    if (job.lora.has_value()) {
      TY_RETURN_IF_ERROR(model::AddAdapters(built.model, *job.lora, job.seed));
      built.base_digest = model::FrozenDigest(built.model);
    }
    if (job.dtype == checkpoint::DType::kBF16) {
      for (const NamedTensor& parameter : model::TrainedParameters(built.model)) {
        built.exact.push_back(parameter.tensor);
      }
      built.model = model::CloneModel(built.model, at::kBFloat16, device);
    }
    model::SetRequiresGrad(built.model, true);
    return absl::OkStatus();
  }));
  return built;
}

void UseExactMasters(const TrainModel& model, AdamW& optimizer) {
  c10::NoGradGuard no_grad;
  for (size_t i = 0; i < model.exact.size(); ++i) {
    optimizer.masters()[i].copy_(model.exact[i].detach());
  }
  optimizer.MastersChanged();
}

absl::StatusOr<model::Model> TrainedModel(const model::Model& model, const AdamW& optimizer) {
  return model::CatchTorch("trained model", [&] {
    c10::NoGradGuard no_grad;
    const at::ScalarType type = optimizer.masters()[0].scalar_type();
    model::Model copy = model::CloneModel(model, type, at::kCPU);
    const std::vector<NamedTensor> parameters = model::TrainedParameters(copy);
    for (size_t i = 0; i < parameters.size(); ++i) {
      parameters[i].tensor.copy_(optimizer.masters()[i]);
    }
    return copy;
  });
}

absl::Status UseExactBase(const TrainJob& job, const TokenizerFiles& tokenizer,
                          const std::string& base_digest, model::Model& trained) {
  TY_ASSIGN_OR_RETURN(model::Model base, ExactModel(job, tokenizer, at::kCPU));
  return model::CatchTorch("exact base", [&]() -> absl::Status {
    if (model::FrozenDigest(base) != base_digest) {
      return absl::FailedPreconditionError(
          absl::StrCat(job.init_from, " has changed since the run began: restore its files, the "
                       "adapters belong to no other"));
    }
    const std::vector<model::ParameterSlot> exact = model::ParameterSlots(base);
    const std::vector<model::ParameterSlot> slots = model::ParameterSlots(trained);
    for (size_t i = 0; i < slots.size(); ++i) {
      if (!absl::StartsWith(slots[i].name, "score.")) *slots[i].tensor = *exact[i].tensor;
    }
    return absl::OkStatus();
  });
}

}  // namespace trainyard::worker
