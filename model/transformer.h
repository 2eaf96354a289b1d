// The decoder: its parameters as plain structs of tensors, and one forward code for training,
// scoring and evaluation.
//
// Shapes: N packed rows, V vocabulary, D width, M chosen rows.
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
#include "model/config.h"
#include "model/parameters.h"

namespace trainyard::model {

// Documents packed one after another without padding between them. Attention stays inside a
// segment. N is a multiple of kRowMultiple (16); rows after the last segment are inert: computed,
// never attended to.
struct PackedTokens {
  at::Tensor token_ids_N;                // int64
  at::Tensor positions_N;                // int64; each segment counts from 0 unless it is a slice
  std::vector<int64_t> segment_offsets;  // 0, ..., number of real rows; strictly increasing
  int64_t position_limit = 0;            // 1 + the largest position
  int64_t rows() const { return segment_offsets.empty() ? 0 : segment_offsets.back(); }
};

struct TokenRows {
  absl::Span<const int32_t> token_ids;
  absl::Span<const int64_t> segment_offsets;  // 0, ..., token_ids.size()
  absl::Span<const int32_t> positions;        // empty: each segment counts from 0
};

// Builds PackedTokens, padded to a multiple of kRowMultiple (16). InvalidArgument names the row for
// a token id outside the vocabulary, a position outside the context, or offsets that do not fit.
absl::StatusOr<PackedTokens> PackTokens(const ModelConfig& config, const TokenRows& rows,
                                        at::Device device);

// The states after the final norm, [N, D], in the model's type.
at::Tensor Forward(const Model& model, const PackedTokens& tokens);

// The matrix that maps states to logits: the LM head or the tied embedding. Head::kLm only.
const at::Tensor& LmHeadWeight(const Model& model);

// The score read at `rows_M` (int64 indices into N): fp32 (float64 for a float64 model).
// Head::kScalar only. A row's value does not depend on which other rows are asked for.
at::Tensor ScalarScores(const Model& model, const at::Tensor& hidden_ND, const at::Tensor& rows_M);

}  // namespace trainyard::model

#endif  // TRAINYARD_MODEL_TRANSFORMER_H_
