// The decoder: its parameters as plain structs of tensors, and one forward code for training,
// scoring and evaluation.
//
// Shapes: N packed rows, V vocabulary, D width, F feed-forward width, H query heads, K key-value
// heads, E head width, P positions, M chosen rows.
//
// Functions here may throw c10::Error (out of memory, a bug); callers wrap them in CatchTorch. They
// belong to one thread at a time, the process's compute thread. Every function is differentiable
// unless at::NoGradGuard is on, and gives the same bits with and without it.

#ifndef TRAINYARD_MODEL_TRANSFORMER_H_
#define TRAINYARD_MODEL_TRANSFORMER_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "checkpoint/tensor_io.h"
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
  at::Tensor out_bias_D;  // GPT-2
  at::Tensor mlp_norm_weight_D;
  at::Tensor mlp_norm_bias_D;  // GPT-2
  at::Tensor up_weight;        // [F, D] (GPT-2) or gate and up [2F, D] (Llama)
  at::Tensor up_bias_F;        // GPT-2
  at::Tensor down_weight_DF;
  at::Tensor down_bias_D;  // GPT-2
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

// Independent copy with its own memory, as `dtype` on `device`.
Model CloneModel(const Model& model, at::ScalarType dtype, at::Device device);

// All parameters in forward order (the order is part of checkpoints and of the reducer's buckets),
// the very tensors of the model. Names are the same for all families: "token_embedding.weight",
// "layers.0.attention.qkv.weight", "layers.0.mlp.down.weight", "final_norm.weight", "score.weight".
// Hugging Face's names and layout exist only at the border, in model/weights.h.
std::vector<NamedTensor> Parameters(const Model& model);

// Marks every parameter as a leaf whose gradient is wanted (or not).
void SetRequiresGrad(const Model& model, bool requires_grad);

// Documents packed one after another without padding between them. Attention stays inside a
// segment. N is a multiple of 8; rows after the last segment are inert: computed, never attended
// to.
struct PackedTokens {
  at::Tensor token_ids_N;                // int64
  at::Tensor positions_N;                // int64; each segment counts from 0 unless it is a slice
  std::vector<int64_t> segment_offsets;  // 0, ..., number of real rows; strictly increasing
  int64_t rows() const { return segment_offsets.empty() ? 0 : segment_offsets.back(); }
};

struct TokenRows {
  absl::Span<const int32_t> token_ids;
  absl::Span<const int64_t> segment_offsets;  // 0, ..., token_ids.size()
  absl::Span<const int32_t> positions;        // empty: each segment counts from 0
};

// Builds PackedTokens, padded to a multiple of 8. InvalidArgument names the row for a token id
// outside the vocabulary, a position outside the context, or offsets that do not fit.
absl::StatusOr<PackedTokens> PackTokens(const ModelConfig& config, const TokenRows& rows,
                                        at::Device device);

// The states after the final norm, [N, D], in the model's type.
at::Tensor Forward(const Model& model, const PackedTokens& tokens);

// The matrix that maps states to logits: the LM head or the tied embedding. Head::kLm only.
const at::Tensor& LmHeadWeight(const Model& model);

// The score read at `rows_M` (int64 indices into N): fp32 (float64 for a float64 model).
// Head::kScalar only. A row's value does not depend on which other rows are asked for.
at::Tensor ScalarScores(const Model& model, const at::Tensor& hidden_ND, const at::Tensor& rows_M);

// Changes the head so that it gives (score - mean) / deviation; adds a bias when there is none. For
// a critic made from a reward model. `deviation` > 0.
absl::Status FoldNormalisation(Model& model, double mean, double deviation);

}  // namespace trainyard::model

#endif  // TRAINYARD_MODEL_TRANSFORMER_H_
