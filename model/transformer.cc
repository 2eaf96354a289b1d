#include "model/transformer.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/gemm.h"
#include "model/ops.h"

namespace trainyard::model {
namespace {

absl::Status CheckOffsets(absl::Span<const int64_t> offsets, size_t rows) {
  const bool fits = !offsets.empty() && offsets.front() == 0 &&
                    offsets.back() == static_cast<int64_t>(rows) && offsets.back() > 0;
  if (!fits || !std::is_sorted(offsets.begin(), offsets.end()) ||
      std::adjacent_find(offsets.begin(), offsets.end()) != offsets.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("segment offsets must rise strictly from 0 to the ", rows, " rows"));
  }
  return absl::OkStatus();
}

absl::Status CheckRow(const ModelConfig& config, int64_t row, int64_t token, int64_t position) {
  if (token < 0 || token >= config.vocab_size) {
    return absl::InvalidArgumentError(
        absl::StrCat("row ", row, ": token id ", token, " is outside the model's vocabulary of ",
                     config.vocab_size, "; the tokenizer does not fit the model"));
  }
  if (position < 0 || position >= config.max_positions) {
    return absl::InvalidArgumentError(absl::StrCat("row ", row, ": position ", position,
                                                   " is outside the model's context of ",
                                                   config.max_positions));
  }
  return absl::OkStatus();
}

AttentionLayout LayoutOf(const Model& model, const PackedTokens& tokens) {
  const ModelConfig& config = model.config;
  AttentionLayout layout;
  layout.heads = config.heads;
  layout.kv_heads = config.kv_heads;
  layout.head_width = config.head_width;
  layout.segment_offsets = tokens.segment_offsets;
  layout.positions_N = tokens.positions_N;
  if (config.family == Family::kLlama) {
    RopeTables tables =
        MakeRopeTables(tokens.position_limit, config.head_width,
                       {config.rope_theta, config.rope_scaling}, tokens.token_ids_N.device());
    layout.cos_PE = std::move(tables.cos_PE);
    layout.sin_PE = std::move(tables.sin_PE);
  }
  return layout;
}

// Queries and keys normalised head by head (Qwen3), values as they are.
at::Tensor NormaliseHeads(const Layer& layer, const ModelConfig& config, const at::Tensor& qkv) {
  const int64_t rows = qkv.size(0), e = config.head_width;
  const int64_t queries = config.heads * e, keys = config.kv_heads * e;
  const auto normalise = [&](const at::Tensor& heads, const at::Tensor& weight) {
    return Norm(heads.reshape({-1, e}), weight, at::Tensor(), config.norm_epsilon).view({rows, -1});
  };
  return at::cat({normalise(qkv.narrow(1, 0, queries), layer.query_norm_weight_E),
                  normalise(qkv.narrow(1, queries, keys), layer.key_norm_weight_E),
                  qkv.narrow(1, queries + keys, keys)},
                 1);
}

at::Tensor AttentionBlock(const Layer& layer, const ModelConfig& config,
                          const AttentionLayout& layout, const at::Tensor& x_ND) {
  at::Tensor qkv = Linear(x_ND, layer.qkv_weight, layer.qkv_bias, layer.qkv_adapters);
  if (config.qk_norm) qkv = NormaliseHeads(layer, config, qkv);
  return Linear(Attention(qkv, layout), layer.out_weight, layer.out_bias_D, layer.out_adapters);
}

at::Tensor MlpBlock(const Layer& layer, const ModelConfig& config, const at::Tensor& x_ND) {
  const at::Tensor up = Linear(x_ND, layer.up_weight, layer.up_bias, layer.up_adapters);
  const at::Tensor inner_NF = config.family == Family::kGpt2 ? GeluTanh(up) : SwiGlu(up);
  return Linear(inner_NF, layer.down_weight_DF, layer.down_bias_D, layer.down_adapters);
}

}  // namespace

absl::StatusOr<PackedTokens> PackTokens(const ModelConfig& config, const TokenRows& rows,
                                        at::Device device) {
  TY_RETURN_IF_ERROR(CheckOffsets(rows.segment_offsets, rows.token_ids.size()));
  if (!rows.positions.empty() && rows.positions.size() != rows.token_ids.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(rows.positions.size(), " positions for ", rows.token_ids.size(), " tokens"));
  }
  const int64_t real = static_cast<int64_t>(rows.token_ids.size());
  const auto options = at::TensorOptions().dtype(at::kLong);
  PackedTokens packed;
  packed.token_ids_N = at::zeros({PaddedRows(real)}, options);
  packed.positions_N = at::zeros({PaddedRows(real)}, options);
  packed.segment_offsets.assign(rows.segment_offsets.begin(), rows.segment_offsets.end());
  int64_t* ids = packed.token_ids_N.mutable_data_ptr<int64_t>();
  int64_t* positions = packed.positions_N.mutable_data_ptr<int64_t>();
  for (size_t s = 0; s + 1 < packed.segment_offsets.size(); ++s) {
    const int64_t begin = packed.segment_offsets[s];
    for (int64_t row = begin; row < packed.segment_offsets[s + 1]; ++row) {
      const size_t i = static_cast<size_t>(row);
      ids[i] = rows.token_ids[i];
      positions[i] = rows.positions.empty() ? row - begin : rows.positions[i];
      TY_RETURN_IF_ERROR(CheckRow(config, row, ids[i], positions[i]));
      packed.position_limit = std::max(packed.position_limit, positions[i] + 1);
    }
  }
  packed.token_ids_N = packed.token_ids_N.to(device);
  packed.positions_N = packed.positions_N.to(device);
  return packed;
}

at::Tensor Forward(const Model& model, const PackedTokens& tokens) {
  TY_CHECK(tokens.token_ids_N.size(0) % kRowMultiple == 0);
  const ModelConfig& config = model.config;
  AttentionLayout layout = LayoutOf(model, tokens);
  at::Tensor x_ND = at::embedding(model.token_embedding_VD, tokens.token_ids_N);
  if (config.family == Family::kGpt2) {
    x_ND = x_ND + at::embedding(model.position_embedding_PD, tokens.positions_N);
  }
  for (size_t i = 0; i < model.layers.size(); ++i) {
    const Layer& layer = model.layers[i];
    layout.window = LayerWindow(config, static_cast<int64_t>(i));
    const at::Tensor attended =
        Norm(x_ND, layer.attention_norm_weight_D, layer.attention_norm_bias_D, config.norm_epsilon);
    x_ND = x_ND + AttentionBlock(layer, config, layout, attended);
    const at::Tensor fed =
        Norm(x_ND, layer.mlp_norm_weight_D, layer.mlp_norm_bias_D, config.norm_epsilon);
    x_ND = x_ND + MlpBlock(layer, config, fed);
  }
  return Norm(x_ND, model.final_norm_weight_D, model.final_norm_bias_D, config.norm_epsilon);
}

const at::Tensor& LmHeadWeight(const Model& model) {
  TY_CHECK(model.config.head == Head::kLm);
  return model.config.tied_head ? model.token_embedding_VD : model.lm_head_VD;
}

at::Tensor ScalarScores(const Model& model, const at::Tensor& hidden_ND, const at::Tensor& rows_M) {
  TY_CHECK(model.config.head == Head::kScalar);
  const auto wide = WideType(hidden_ND.scalar_type());
  // A product and a sum over each row alone, not a matrix product: the same bits for any M.
  const at::Tensor states_MD = hidden_ND.index_select(0, rows_M).to(wide);
  const at::Tensor scores_M = (states_MD * model.score_weight_1D.to(wide)).sum({1});
  return model.score_bias_1.defined() ? scores_M + model.score_bias_1.to(wide) : scores_M;
}

}  // namespace trainyard::model
