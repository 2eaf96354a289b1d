#include "model/adapters.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/checksum.h"
#include "base/random.h"
#include "base/status.h"
#include "model/gemm.h"

namespace trainyard::model {
namespace {

constexpr char kAllLinear[] = "all-linear";

using Adapters = std::vector<Adapter>;

// A module as rows of a matrix of ours.
struct Module {
  std::string path;
  at::Tensor Layer::*matrix;
  Adapters Layer::*adapters;
  int64_t first_row = 0;
  int64_t rows = 0;
};

std::vector<Module> ModulesOf(const ModelConfig& config) {
  const int64_t queries = config.heads * config.head_width, f = config.ffn_width, d = config.width;
  const int64_t keys = config.kv_heads * config.head_width;
  const auto module = [](const char* path, at::Tensor Layer::*matrix, Adapters Layer::*adapters,
                         int64_t first_row, int64_t rows) -> Module {
    return {path, matrix, adapters, first_row, rows};
  };
  constexpr auto kQkv = &Layer::qkv_weight, kOut = &Layer::out_weight, kUp = &Layer::up_weight;
  constexpr auto kDown = &Layer::down_weight_DF;
  if (config.family == Family::kGpt2) {
    return {module("attn.c_attn", kQkv, &Layer::qkv_adapters, 0, queries + 2 * keys),
            module("attn.c_proj", kOut, &Layer::out_adapters, 0, d),
            module("mlp.c_fc", kUp, &Layer::up_adapters, 0, f),
            module("mlp.c_proj", kDown, &Layer::down_adapters, 0, d)};
  }
  return {module("self_attn.q_proj", kQkv, &Layer::qkv_adapters, 0, queries),
          module("self_attn.k_proj", kQkv, &Layer::qkv_adapters, queries, keys),
          module("self_attn.v_proj", kQkv, &Layer::qkv_adapters, queries + keys, keys),
          module("self_attn.o_proj", kOut, &Layer::out_adapters, 0, d),
          module("mlp.gate_proj", kUp, &Layer::up_adapters, 0, f),
          module("mlp.up_proj", kUp, &Layer::up_adapters, f, f),
          module("mlp.down_proj", kDown, &Layer::down_adapters, 0, d)};
}

bool Matches(const std::string& path, const std::string& target) {
  return path == target || absl::EndsWith(path, absl::StrCat(".", target));
}

// The modules that the targets mean, in forward order.
absl::StatusOr<std::vector<Module>> Targeted(const ModelConfig& config,
                                             std::vector<std::string> targets) {
  const std::vector<Module> modules = ModulesOf(config);
  if (targets.empty()) {
    targets = config.family == Family::kGpt2 ? std::vector<std::string>{"c_attn"}
                                             : std::vector<std::string>{"q_proj", "v_proj"};
  }
  if (std::count(targets.begin(), targets.end(), kAllLinear) > 0) {
    if (targets.size() == 1) return modules;
    return absl::InvalidArgumentError(
        absl::StrCat("lora.targets: \"", kAllLinear, "\" stands by itself; leave the others out"));
  }
  std::set<std::string> wanted;
  for (const std::string& target : targets) {
    bool known = false;
    for (const Module& module : modules) {
      if (!Matches(module.path, target)) continue;
      known = true;
      wanted.insert(module.path);
    }
    if (known) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "lora.targets: \"", target, "\" is no module of a ", config.model_type, " block; it has ",
        absl::StrJoin(AdapterModules(config), ", "), " (the last part of a name will do), or say ",
        kAllLinear));
  }
  std::vector<Module> targeted;
  for (const Module& module : modules) {
    if (wanted.count(module.path) > 0) targeted.push_back(module);
  }
  return targeted;
}

at::Tensor InitialA(uint64_t key, int64_t rank, const at::Tensor& matrix) {
  const int64_t columns = matrix.size(1);
  const at::Tensor values = at::empty({rank, columns}, at::TensorOptions().dtype(at::kDouble));
  const double bound = 1.0 / std::sqrt(static_cast<double>(columns));
  const CounterRandom random(key);
  double* const begin = values.mutable_data_ptr<double>();
  for (int64_t i = 0; i < values.numel(); ++i) {
    begin[i] = bound * (2.0 * random.UniformDouble(static_cast<uint64_t>(i)) - 1.0);
  }
  return values.to(matrix.options().dtype(WideType(matrix.scalar_type())));
}

absl::Status CheckOptions(const ModelConfig& config, const AdapterOptions& options) {
  if (options.rank < 1 || options.rank > config.width) {
    return absl::InvalidArgumentError(absl::StrCat("lora.rank is ", options.rank,
                                                   ", must be in 1..", config.width,
                                                   ", the model's width"));
  }
  if (!std::isfinite(options.alpha) || options.alpha < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("lora.alpha is ", options.alpha, ", must be > 0, or 0 for lora.rank"));
  }
  return absl::OkStatus();
}

at::Tensor MergedMatrix(const at::Tensor& matrix, const Adapters& adapters) {
  const auto wide = WideType(matrix.scalar_type());
  const at::Tensor merged = matrix.detach().to(wide, /*non_blocking=*/false, /*copy=*/true);
  for (const Adapter& adapter : adapters) {
    merged.narrow(0, adapter.first_row, adapter.b_OR.size(0))
        .addmm_(adapter.b_OR.detach().to(wide), adapter.a_RI.detach().to(wide), 1, adapter.scale);
  }
  return merged.to(matrix.scalar_type());
}

}  // namespace

std::vector<std::string> AdapterModules(const ModelConfig& config) {
  std::vector<std::string> paths;
  for (const Module& module : ModulesOf(config)) paths.push_back(module.path);
  return paths;
}

absl::Status AddAdapters(Model& model, const AdapterOptions& options, uint64_t seed) {
  TY_CHECK(!HasAdapters(model));
  TY_RETURN_IF_ERROR(CheckOptions(model.config, options));
  TY_ASSIGN_OR_RETURN(const auto modules, Targeted(model.config, options.targets));
  const double rank = static_cast<double>(options.rank);
  for (size_t i = 0; i < model.layers.size(); ++i) {
    Layer& layer = model.layers[i];
    for (const Module& module : modules) {
      const at::Tensor& matrix = layer.*module.matrix;
      Adapter adapter;
      adapter.module = module.path;
      adapter.first_row = module.first_row;
      adapter.scale = options.alpha == 0 ? 1.0 : options.alpha / rank;
      adapter.a_RI = InitialA(DeriveKey(seed, absl::StrCat("layers.", i, ".", module.path)),
                              options.rank, matrix);
      adapter.b_OR = at::zeros({module.rows, options.rank}, adapter.a_RI.options());
      (layer.*module.adapters).push_back(std::move(adapter));
    }
  }
  return absl::OkStatus();
}

bool HasAdapters(const Model& model) {
  return std::any_of(model.layers.begin(), model.layers.end(),
                     [](const Layer& layer) { return !AllAdapters(layer).empty(); });
}

Model WithoutAdapters(const Model& model) {
  Model plain = model;
  for (Layer& layer : plain.layers) {
    for (const Module& module : ModulesOf(plain.config)) (layer.*module.adapters).clear();
  }
  return plain;
}

Model MergeAdapters(const Model& model) {
  const at::NoGradGuard no_grad;
  Model merged = model;
  for (Layer& layer : merged.layers) {
    for (const Module& module : ModulesOf(merged.config)) {
      Adapters& adapters = layer.*module.adapters;
      if (adapters.empty()) continue;
      if (!adapters.front().merged) {
        layer.*module.matrix = MergedMatrix(layer.*module.matrix, adapters);
      }
      adapters.clear();
    }
  }
  return merged;
}

void HoldMerged(Model& model, const Model& base) {
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < model.layers.size(); ++i) {
    for (const Module& module : ModulesOf(model.config)) {
      Adapters& adapters = model.layers[i].*module.adapters;
      if (adapters.empty() || adapters.front().merged) continue;
      model.layers[i].*module.matrix = MergedMatrix(base.layers[i].*module.matrix, adapters);
      for (Adapter& adapter : adapters) adapter.merged = true;
    }
  }
}

void RefreshMerged(const Model& model, const Model& base) {
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < model.layers.size(); ++i) {
    const at::Tensor* done = nullptr;
    for (const Module& module : ModulesOf(model.config)) {
      const Adapters& adapters = model.layers[i].*module.adapters;
      const at::Tensor* const matrix = &(model.layers[i].*module.matrix);
      if (matrix == done || adapters.empty() || !adapters.front().merged) continue;
      matrix->copy_(MergedMatrix(base.layers[i].*module.matrix, adapters));
      done = matrix;
    }
  }
}

double FlopsPerToken(const Model& model, int64_t context) {
  double flops = TrainingFlopsPerToken(model.config, context);
  if (!HasAdapters(model)) return flops;
  constexpr double kGradient = 2.0, kTrained = 6.0;  // per weight
  for (const Layer& layer : model.layers) {
    for (const at::Tensor& matrix : {layer.qkv_weight, layer.out_weight, layer.up_weight,
                                     layer.down_weight_DF}) {
      flops -= kGradient * static_cast<double>(matrix.numel());
    }
    for (const Adapter& adapter : AllAdapters(layer)) {
      flops += kTrained * static_cast<double>(adapter.a_RI.numel() + adapter.b_OR.numel());
    }
  }
  if (model.config.head == Head::kLm) {
    flops -= kGradient * static_cast<double>(model.config.vocab_size * model.config.width);
  }
  return flops;
}

std::string FrozenDigest(const Model& model) {
  Model trunk = model;
  std::string digests;
  for (const ParameterSlot& slot : ParameterSlots(trunk)) {
    if (absl::StartsWith(slot.name, "score.")) continue;
    const at::Tensor host = slot.tensor->detach().to(at::kCPU).contiguous();
    absl::StrAppend(&digests, slot.name, " ", Xxh3Hex(host.const_data_ptr(), host.nbytes()), "\n");
  }
  return Xxh3Hex(digests);
}

}  // namespace trainyard::model
