// The parameters of a decoder as plain structs of tensors: made, copied, listed.
//
// Shapes: V vocabulary, D width, F feed-forward width, H query heads, K key-value heads, E head
// width, P positions.

#ifndef TRAINYARD_MODEL_PARAMETERS_H_
#define TRAINYARD_MODEL_PARAMETERS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "checkpoint/tensor_io.h"
#include "model/adapter.h"
#include "model/config.h"

namespace trainyard::model {

using checkpoint::NamedTensor;

// Every matrix is [out, in]. Tensors that a family does not have are undefined. Queries, keys and
// values of all heads are one matrix (rows: H*E of queries, K*E of keys, K*E of values), and so are
// gate and up (rows: F of gate, F of up): fewer and larger products.
struct Layer {
  at::Tensor attention_norm_weight_D;
  at::Tensor attention_norm_bias_D;  // GPT-2
  at::Tensor qkv_weight;             // [(H + 2K) * E, D]
  at::Tensor qkv_bias;               // [(H + 2K) * E]: GPT-2, or config.qkv_bias
  at::Tensor query_norm_weight_E;    // config.qk_norm
  at::Tensor key_norm_weight_E;
  at::Tensor out_weight;  // [D, H * E]
  at::Tensor out_bias_D;  // GPT-2, or config.out_bias
  at::Tensor mlp_norm_weight_D;
  at::Tensor mlp_norm_bias_D;  // GPT-2
  at::Tensor up_weight;        // [F, D] (GPT-2) or gate and up [2F, D] (Llama)
  at::Tensor up_bias;          // as many as up_weight has rows: GPT-2, or config.mlp_bias
  at::Tensor down_weight_DF;
  at::Tensor down_bias_D;  // GPT-2, or config.mlp_bias
  // Of the matrices above, which are frozen where there is one (model/adapters.h).
  std::vector<Adapter> qkv_adapters, out_adapters, up_adapters, down_adapters;
};

struct Model {
  ModelConfig config;
  at::Tensor token_embedding_VD;
  at::Tensor position_embedding_PD;  // GPT-2
  std::vector<Layer> layers;
  at::Tensor final_norm_weight_D;
  at::Tensor final_norm_bias_D;  // GPT-2
  at::Tensor lm_head_VD;         // Head::kLm and not tied
  at::Tensor score_weight_1D;    // Head::kScalar
  at::Tensor score_bias_1;       // config.score_bias
};

struct InitOptions {
  uint64_t seed = 0;
  at::ScalarType dtype = at::kFloat;
  at::Device device = at::kCPU;
  double standard_deviation = 0.02;
};

// A new model: N(0, sd), out and down matrices with sd / sqrt(2 * layers), the score with
// 1 / sqrt(D + 1), norms 1, biases 0. Each number is a function of (seed, parameter, index):
// the same at any world size, thread count and device, rounded to `dtype`.
absl::StatusOr<Model> InitModel(const ModelConfig& config, const InitOptions& options);

// A scalar-head model around the trunk of `language_model` (tensors shared with it, not copied),
// with a new score head. For a reward model from an SFT model.
absl::StatusOr<Model> WithScalarHead(const Model& language_model, const InitOptions& options);

// Independent copy with its own memory, as `dtype` on `device` (adapters: its WideType).
Model CloneModel(const Model& model, at::ScalarType dtype, at::Device device);

// All parameters in forward order (the order is part of checkpoints and of the reducer's buckets),
// the very tensors of the model. Names are the same for all families: "token_embedding.weight",
// "layers.0.attention.qkv.weight", "layers.0.mlp.down.weight", "final_norm.weight", "score.weight".
// Hugging Face's names and layout exist only at the border, in model/weights.h.
std::vector<NamedTensor> Parameters(const Model& model);

// What training changes, in forward order, the very tensors: all parameters; where there are
// adapters, their factors ("layers.0.self_attn.q_proj.lora_A.weight", "....lora_B.weight") and the
// score head alone.
std::vector<NamedTensor> TrainedParameters(const Model& model);

// Marks what is trained as leaves whose gradient is wanted (or not), and all else as not.
void SetRequiresGrad(const Model& model, bool requires_grad);

// The adapters of a layer in forward order.
std::vector<Adapter> AllAdapters(const Layer& layer);

// Changes the head so that it gives (score - mean) / deviation; adds a bias when there is none. For
// a critic made from a reward model. `deviation` > 0.
absl::Status FoldNormalisation(Model& model, double mean, double deviation);

// How a parameter begins.
enum class Initial { kNormal, kResidualNormal, kScore, kOne, kZero };

// A place of the model for one parameter: what must be there, and the tensor that is.
struct ParameterSlot {
  std::string name;
  std::vector<int64_t> shape;
  Initial initial = Initial::kNormal;
  at::Tensor* tensor = nullptr;
};

// Every parameter that `model.config` asks for, in forward order, whether its tensor is there or
// not. Sizes model.layers to the config.
std::vector<ParameterSlot> ParameterSlots(Model& model);

}  // namespace trainyard::model

#endif  // TRAINYARD_MODEL_PARAMETERS_H_
