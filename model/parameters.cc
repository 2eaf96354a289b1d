#include "model/parameters.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "base/status.h"
#include "model/catch_torch.h"
#include "model/gemm.h"

namespace trainyard::model {
namespace {

void AddNorm(const std::string& name, int64_t width, at::Tensor* weight, at::Tensor* bias,
             std::vector<ParameterSlot>* slots) {
  slots->push_back({name + ".weight", {width}, Initial::kOne, weight});
  if (bias != nullptr) slots->push_back({name + ".bias", {width}, Initial::kZero, bias});
}

struct Matrix {
  std::vector<int64_t> shape;
  Initial initial;
};

void AddLinear(const std::string& name, const Matrix& matrix, at::Tensor* weight, at::Tensor* bias,
               std::vector<ParameterSlot>* slots) {
  slots->push_back({name + ".weight", matrix.shape, matrix.initial, weight});
  if (bias != nullptr) {
    slots->push_back({name + ".bias", {matrix.shape[0]}, Initial::kZero, bias});
  }
}

void AddLayer(const ModelConfig& config, const std::string& name, Layer* layer,
              std::vector<ParameterSlot>* slots) {
  const bool gpt2 = config.family == Family::kGpt2;
  const int64_t d = config.width, e = config.head_width, attended = config.heads * e;
  const int64_t qkv = attended + 2 * config.kv_heads * e;
  const int64_t up = gpt2 ? config.ffn_width : 2 * config.ffn_width;
  const auto bias = [gpt2](at::Tensor* tensor) { return gpt2 ? tensor : nullptr; };
  AddNorm(name + ".attention_norm", d, &layer->attention_norm_weight_D,
          bias(&layer->attention_norm_bias_D), slots);
  AddLinear(name + ".attention.qkv", {{qkv, d}, Initial::kNormal}, &layer->qkv_weight,
            gpt2 || config.qkv_bias ? &layer->qkv_bias : nullptr, slots);
  if (config.qk_norm) {
    AddNorm(name + ".attention.query_norm", e, &layer->query_norm_weight_E, nullptr, slots);
    AddNorm(name + ".attention.key_norm", e, &layer->key_norm_weight_E, nullptr, slots);
  }
  AddLinear(name + ".attention.out", {{d, attended}, Initial::kResidualNormal}, &layer->out_weight,
            gpt2 || config.out_bias ? &layer->out_bias_D : nullptr, slots);
  AddNorm(name + ".mlp_norm", d, &layer->mlp_norm_weight_D, bias(&layer->mlp_norm_bias_D), slots);
  AddLinear(name + (gpt2 ? ".mlp.up" : ".mlp.gate_up"), {{up, d}, Initial::kNormal},
            &layer->up_weight, gpt2 || config.mlp_bias ? &layer->up_bias : nullptr, slots);
  AddLinear(name + ".mlp.down", {{d, config.ffn_width}, Initial::kResidualNormal},
            &layer->down_weight_DF, gpt2 || config.mlp_bias ? &layer->down_bias_D : nullptr, slots);
}

double DeviationOf(const ModelConfig& config, Initial initial, double standard_deviation) {
  switch (initial) {
    case Initial::kNormal:
      return standard_deviation;
    case Initial::kResidualNormal:
      return standard_deviation / std::sqrt(2.0 * static_cast<double>(config.layers));
    case Initial::kScore:
      return 1.0 / std::sqrt(static_cast<double>(config.width) + 1.0);
    default:
      return 0.0;
  }
}

// Box-Muller: two normal numbers from the two uniform ones of each counter.
void FillNormal(uint64_t key, double deviation, double* values, int64_t size) {
  const CounterRandom random(key);
  at::parallel_for(0, (size + 1) / 2, 1 << 12, [&](int64_t begin, int64_t end) {
    for (int64_t pair = begin; pair < end; ++pair) {
      const double u = 1.0 - random.UniformDouble(static_cast<uint64_t>(pair), 0);
      const double angle = 2.0 * M_PI * random.UniformDouble(static_cast<uint64_t>(pair), 1);
      const double radius = deviation * std::sqrt(-2.0 * std::log(u));
      values[2 * pair] = radius * std::cos(angle);
      if (2 * pair + 1 < size) values[2 * pair + 1] = radius * std::sin(angle);
    }
  });
}

at::Tensor InitialValue(const ModelConfig& config, const ParameterSlot& slot,
                        const InitOptions& options) {
  const auto wanted = at::TensorOptions().dtype(options.dtype).device(options.device);
  if (slot.initial == Initial::kOne) return at::ones(slot.shape, wanted);
  if (slot.initial == Initial::kZero) return at::zeros(slot.shape, wanted);
  const at::Tensor values = at::empty(slot.shape, at::TensorOptions().dtype(at::kDouble));
  FillNormal(DeriveKey(options.seed, slot.name),
             DeviationOf(config, slot.initial, options.standard_deviation),
             values.mutable_data_ptr<double>(), values.numel());
  return values.to(wanted);
}

}  // namespace

std::vector<ParameterSlot> ParameterSlots(Model& model) {
  const ModelConfig& config = model.config;
  const bool gpt2 = config.family == Family::kGpt2;
  std::vector<ParameterSlot> slots;
  model.layers.resize(static_cast<size_t>(config.layers));
  slots.push_back({"token_embedding.weight",
                   {config.vocab_size, config.width},
                   Initial::kNormal,
                   &model.token_embedding_VD});
  if (gpt2) {
    slots.push_back({"position_embedding.weight",
                     {config.max_positions, config.width},
                     Initial::kNormal,
                     &model.position_embedding_PD});
  }
  for (size_t i = 0; i < model.layers.size(); ++i) {
    AddLayer(config, absl::StrCat("layers.", i), &model.layers[i], &slots);
  }
  AddNorm("final_norm", config.width, &model.final_norm_weight_D,
          gpt2 ? &model.final_norm_bias_D : nullptr, &slots);
  if (config.head == Head::kScalar) {
    AddLinear("score", {{1, config.width}, Initial::kScore}, &model.score_weight_1D,
              config.score_bias ? &model.score_bias_1 : nullptr, &slots);
  } else if (!config.tied_head) {
    AddLinear("lm_head", {{config.vocab_size, config.width}, Initial::kNormal}, &model.lm_head_VD,
              nullptr, &slots);
  }
  return slots;
}

absl::StatusOr<Model> InitModel(const ModelConfig& config, const InitOptions& options) {
  TY_RETURN_IF_ERROR(ValidateConfig(config));
  return CatchTorch("make a new model", [&] {
    Model model;
    model.config = config;
    for (const ParameterSlot& slot : ParameterSlots(model)) {
      *slot.tensor = InitialValue(config, slot, options);
    }
    return model;
  });
}

absl::StatusOr<Model> WithScalarHead(const Model& language_model, const InitOptions& options) {
  if (language_model.config.head != Head::kLm) {
    return absl::FailedPreconditionError("the model has a scalar head already");
  }
  return CatchTorch("make a score head", [&] {
    Model model = language_model;
    model.config.head = Head::kScalar;
    model.config.score_bias = false;
    model.lm_head_VD = at::Tensor();
    for (const ParameterSlot& slot : ParameterSlots(model)) {
      if (!slot.tensor->defined()) *slot.tensor = InitialValue(model.config, slot, options);
    }
    return model;
  });
}

Model CloneModel(const Model& model, at::ScalarType dtype, at::Device device) {
  const at::NoGradGuard no_grad;
  Model copy = model;
  for (const ParameterSlot& slot : ParameterSlots(copy)) {
    *slot.tensor = slot.tensor->detach().to(device, dtype, /*non_blocking=*/false, /*copy=*/true);
  }
  const auto clone = [&](at::Tensor& factor) {
    factor = factor.detach().to(device, WideType(dtype), /*non_blocking=*/false, /*copy=*/true);
  };
  for (Layer& layer : copy.layers) {
    for (auto* adapters : {&layer.qkv_adapters, &layer.out_adapters, &layer.up_adapters,
                           &layer.down_adapters}) {
      for (Adapter& adapter : *adapters) {
        clone(adapter.a_RI);
        clone(adapter.b_OR);
      }
    }
  }
  return copy;
}

std::vector<NamedTensor> Parameters(const Model& model) {
  Model alias = model;
  std::vector<NamedTensor> parameters;
  for (const ParameterSlot& slot : ParameterSlots(alias)) {
    parameters.push_back({slot.name, *slot.tensor});
  }
  return parameters;
}

std::vector<NamedTensor> TrainedParameters(const Model& model) {
  std::vector<NamedTensor> trained;
  for (size_t i = 0; i < model.layers.size(); ++i) {
    for (const Adapter& adapter : AllAdapters(model.layers[i])) {
      const std::string name = absl::StrCat("layers.", i, ".", adapter.module);
      trained.push_back({name + ".lora_A.weight", adapter.a_RI});
      trained.push_back({name + ".lora_B.weight", adapter.b_OR});
    }
  }
  const bool adapted = !trained.empty();
  for (NamedTensor& parameter : Parameters(model)) {
    if (!adapted || absl::StartsWith(parameter.name, "score.")) trained.push_back(parameter);
  }
  return trained;
}

void SetRequiresGrad(const Model& model, bool requires_grad) {
  for (NamedTensor& parameter : Parameters(model)) parameter.tensor.set_requires_grad(false);
  for (NamedTensor& parameter : TrainedParameters(model)) {
    parameter.tensor.set_requires_grad(requires_grad);
  }
}

std::vector<Adapter> AllAdapters(const Layer& layer) {
  std::vector<Adapter> all;
  for (const auto* adapters : {&layer.qkv_adapters, &layer.out_adapters, &layer.up_adapters,
                               &layer.down_adapters}) {
    all.insert(all.end(), adapters->begin(), adapters->end());
  }
  return all;
}

absl::Status FoldNormalisation(Model& model, double mean, double deviation) {
  if (model.config.head != Head::kScalar) {
    return absl::FailedPreconditionError("a model without a scalar head has no normalisation");
  }
  if (!(deviation > 0.0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the deviation of the scores is ", deviation, ", must be positive"));
  }
  return CatchTorch("fold the normalisation", [&] {
    const at::NoGradGuard no_grad;
    const auto type = model.score_weight_1D.scalar_type();
    const at::Tensor bias =
        model.score_bias_1.defined()
            ? model.score_bias_1.to(at::kDouble)
            : at::zeros({1}, model.score_weight_1D.options().dtype(at::kDouble));
    model.score_bias_1 = ((bias - mean) / deviation).to(type);
    model.score_weight_1D = (model.score_weight_1D.to(at::kDouble) / deviation).to(type);
    model.config.score_bias = true;
  });
}

}  // namespace trainyard::model
