#include "tests/rollout/tiny_model.h"

#include "absl/strings/str_cat.h"
#include "base/atomic_file.h"
#include "base/checksum.h"
#include "base/random.h"
#include "base/status.h"

namespace trainyard::rollout {

model::ModelConfig TinyLlama() {
  model::ModelConfig config;
  config.vocab_size = 97;
  config.width = 48;
  config.ffn_width = 72;
  config.layers = 2;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_width = 12;
  config.max_positions = 128;
  return config;
}

model::ModelConfig TinyGpt2() {
  model::ModelConfig config;
  config.family = model::Family::kGpt2;
  config.model_type = "gpt2";
  config.vocab_size = 61;
  config.width = 32;
  config.ffn_width = 128;
  config.layers = 2;
  config.heads = 2;
  config.kv_heads = 2;
  config.head_width = 16;
  config.max_positions = 96;
  return config;
}

MemoryWeights::MemoryWeights(const model::ModelConfig& config, uint64_t seed) : seed_(seed) {
  const bool gpt2 = config.family == model::Family::kGpt2;
  AddMatrix(gpt2 ? "transformer.wte.weight" : "model.embed_tokens.weight",
            {config.vocab_size, config.width});
  if (gpt2) AddMatrix("transformer.wpe.weight", {config.max_positions, config.width});
  for (int64_t i = 0; i < config.layers; ++i) AddLayer(config, i);
  AddNorm(gpt2 ? "transformer.ln_f" : "model.norm", config.width, gpt2);
  if (!config.tied_head) AddMatrix("lm_head.weight", {config.vocab_size, config.width});
}

void MemoryWeights::AddLayer(const model::ModelConfig& c, int64_t layer) {
  if (c.family == model::Family::kGpt2) {
    const std::string prefix = absl::StrCat("transformer.h.", layer, ".");
    AddNorm(prefix + "ln_1", c.width, true);
    AddNorm(prefix + "ln_2", c.width, true);
    const auto linear = [&](const std::string& name, int64_t in, int64_t out) {
      AddMatrix(prefix + name + ".weight", {in, out});
      AddMatrix(prefix + name + ".bias", {out});
    };
    linear("attn.c_attn", c.width, 3 * c.width);
    linear("attn.c_proj", c.width, c.width);
    linear("mlp.c_fc", c.width, c.ffn_width);
    linear("mlp.c_proj", c.ffn_width, c.width);
    return;
  }
  const std::string prefix = absl::StrCat("model.layers.", layer, ".");
  AddNorm(prefix + "input_layernorm", c.width, false);
  AddNorm(prefix + "post_attention_layernorm", c.width, false);
  const int64_t queries = c.heads * c.head_width, keys = c.kv_heads * c.head_width;
  AddMatrix(prefix + "self_attn.q_proj.weight", {queries, c.width});
  AddMatrix(prefix + "self_attn.k_proj.weight", {keys, c.width});
  AddMatrix(prefix + "self_attn.v_proj.weight", {keys, c.width});
  AddMatrix(prefix + "self_attn.o_proj.weight", {c.width, queries});
  AddMatrix(prefix + "mlp.gate_proj.weight", {c.ffn_width, c.width});
  AddMatrix(prefix + "mlp.up_proj.weight", {c.ffn_width, c.width});
  AddMatrix(prefix + "mlp.down_proj.weight", {c.width, c.ffn_width});
  if (c.qkv_bias) {
    AddMatrix(prefix + "self_attn.q_proj.bias", {queries});
    AddMatrix(prefix + "self_attn.k_proj.bias", {keys});
    AddMatrix(prefix + "self_attn.v_proj.bias", {keys});
  }
  if (c.out_bias) AddMatrix(prefix + "self_attn.o_proj.bias", {c.width});
  if (c.mlp_bias) {
    AddMatrix(prefix + "mlp.gate_proj.bias", {c.ffn_width});
    AddMatrix(prefix + "mlp.up_proj.bias", {c.ffn_width});
    AddMatrix(prefix + "mlp.down_proj.bias", {c.width});
  }
  if (c.qk_norm) {
    AddNorm(prefix + "self_attn.q_norm", c.head_width, false);
    AddNorm(prefix + "self_attn.k_norm", c.head_width, false);
  }
}

void MemoryWeights::AddMatrix(const std::string& name, std::vector<int64_t> shape) {
  const CounterRandom random(DeriveKey(seed_, name));
  int64_t count = 1;
  for (int64_t size : shape) count *= size;
  Tensor tensor{std::move(shape), std::vector<float>(count)};
  // Large enough that attention and the logits are far from uniform.
  for (int64_t i = 0; i < count; ++i) tensor.values[i] = 0.6f * random.UniformFloat(i) - 0.3f;
  tensors_[name] = std::move(tensor);
}

void MemoryWeights::AddNorm(const std::string& name, int64_t size, bool bias) {
  AddMatrix(name + ".weight", {size});
  for (float& value : tensors_[name + ".weight"].values) value += 1;
  if (bias) AddMatrix(name + ".bias", {size});
}

absl::StatusOr<TensorView> MemoryWeights::Find(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) return absl::NotFoundError(name);
  return TensorView{checkpoint::DType::kF32, found->second.shape, found->second.bytes()};
}

std::vector<std::string> MemoryWeights::Names() const {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors_) names.push_back(name);
  return names;
}

std::shared_ptr<const PackedModel> TinyPacked(const model::ModelConfig& config, uint64_t seed,
                                              int64_t version, kernels::WeightType products) {
  auto packed = PackModel(config, MemoryWeights(config, seed), {.products = products});
  TY_CHECK(packed.ok());
  (*packed)->version = version;
  return *packed;
}

void WriteModelDirectory(const model::ModelConfig& config, uint64_t seed,
                         const std::string& directory) {
  const MemoryWeights weights(config, seed);
  std::vector<checkpoint::TensorBytes> tensors;
  for (const auto& [name, tensor] : weights.tensors()) {
    tensors.push_back({name, checkpoint::DType::kF32, tensor.shape, tensor.bytes()});
  }
  TY_CHECK(checkpoint::WriteSafetensors(directory + "/model.safetensors", tensors, {}).ok());
  TY_CHECK(WriteFileAtomically(directory + "/config.json",
                               model::ConfigJson(config, "float32").dump(2))
               .ok());
}

Published Publish(const model::ModelConfig& config, uint64_t seed, int64_t version) {
  Published published;
  WeightsManifest& manifest = published.manifest;
  manifest.version = version;
  manifest.sources = {"nowhere:1"};
  manifest.config_json = model::ConfigJson(config, "float32").dump();
  std::string checksums;
  const MemoryWeights weights(config, seed);
  for (const auto& [name, tensor] : weights.tensors()) {
    const int64_t size = static_cast<int64_t>(tensor.bytes().size());
    const std::string xxh3 = Xxh3Hex(tensor.bytes());
    manifest.tensors.push_back({name, "F32", tensor.shape, xxh3, {{0, size, 0}}});
    checksums += xxh3;
    published.bytes.append(tensor.bytes().data(), tensor.bytes().size());
  }
  manifest.digest = Xxh3Hex(checksums);
  return published;
}

}  // namespace trainyard::rollout
