#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "base/status.h"
#include "model/gemm.h"
#include "model/logits.h"
#include "model/loss.h"

namespace trainyard::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// The rows of a query, padded, with what makes their logits a distribution.
struct Rows {
  at::Tensor rows_M;
  at::Tensor targets_M;
  at::Tensor forbidden_ids;  // undefined: none
  at::Tensor early_ids;
  at::Tensor early_M;  // undefined: none
  double temperature = 1.0;
};

// Masked logits of rows [begin, begin + count).
at::Tensor ChunkLogits(const at::Tensor& states_CD, const at::Tensor& weight_VD, const Rows& rows,
                       int64_t begin, const at::Tensor& buffer) {
  const int64_t count = states_CD.size(0);
  const double forbidden = kForbiddenLogit * rows.temperature;
  const at::Tensor logits_CV = buffer.narrow(0, 0, count);
  Multiply(Product::kABt, states_CD, weight_VD, logits_CV);
  if (rows.forbidden_ids.defined()) logits_CV.index_fill_(1, rows.forbidden_ids, forbidden);
  if (!rows.early_M.defined()) return logits_CV;
  const at::Tensor early_C = rows.early_M.narrow(0, begin, count).unsqueeze(1);
  const at::Tensor columns = logits_CV.index_select(1, rows.early_ids);
  logits_CV.index_copy_(1, rows.early_ids, columns.masked_fill(early_C, forbidden));
  return logits_CV;
}

struct Chunk {
  int64_t begin, count;
};

at::Tensor Part(const at::Tensor& values_M, Chunk chunk) {
  return values_M.defined() ? values_M.narrow(0, chunk.begin, chunk.count) : values_M;
}

LogitScores PartOf(const LogitScores& all, Chunk chunk) {
  return {Part(all.log_prob_C, chunk), Part(all.entropy_C, chunk), Part(all.normaliser_C, chunk)};
}

template <typename Body>
void ForEachChunk(int64_t rows, int64_t chunk_rows, const Body& body) {
  for (int64_t begin = 0; begin < rows; begin += chunk_rows) {
    body(Chunk{begin, std::min(chunk_rows, rows - begin)});
  }
}

// Log-probabilities are made again in the backward pass: one more product instead of all logits
// held.
class TokenScoresFunction : public torch::autograd::Function<TokenScoresFunction> {
 public:
  static variable_list forward(AutogradContext* context, const at::Tensor& hidden_ND,
                               const at::Tensor& weight_VD, const Rows& rows) {
    const at::Tensor states_MD = hidden_ND.index_select(0, rows.rows_M);
    const at::Tensor buffer = MakeLogitsBuffer(states_MD, weight_VD);
    const LogitScores all = {at::empty({states_MD.size(0)}, buffer.options()),
                             at::empty({states_MD.size(0)}, buffer.options()),
                             at::empty({states_MD.size(0)}, buffer.options())};
    ForEachChunk(states_MD.size(0), buffer.size(0), [&](Chunk c) {
      const at::Tensor logits_CV =
          ChunkLogits(states_MD.narrow(0, c.begin, c.count), weight_VD, rows, c.begin, buffer);
      ScoreLogits(logits_CV, {Part(rows.targets_M, c), rows.temperature}, PartOf(all, c));
    });
    context->save_for_backward({hidden_ND, weight_VD, all.normaliser_C, all.entropy_C, rows.rows_M,
                                rows.targets_M, rows.forbidden_ids, rows.early_ids, rows.early_M});
    context->saved_data["temperature"] = rows.temperature;
    return {all.log_prob_C, all.entropy_C};
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &hidden_ND = saved[0], &weight_VD = saved[1];
    const LogitScores all = {at::Tensor(), saved[3], saved[2]};
    const at::Tensor log_prob_grad_M = grads[0].contiguous();
    const at::Tensor entropy_grad_M = grads[1].contiguous();
    const Rows rows{saved[4], saved[5], saved[6],
                    saved[7], saved[8], context->saved_data["temperature"].toDouble()};
    const at::Tensor states_MD = hidden_ND.index_select(0, rows.rows_M);
    const at::Tensor buffer = MakeLogitsBuffer(states_MD, weight_VD);
    const at::Tensor hidden_grad_MD = at::empty_like(states_MD);
    const bool trained = context->needs_input_grad(1);
    const at::Tensor weight_grad_VD =
        trained ? at::zeros(weight_VD.sizes(), buffer.options()) : at::Tensor();
    ForEachChunk(states_MD.size(0), buffer.size(0), [&](Chunk c) {
      const at::Tensor states_CD = states_MD.narrow(0, c.begin, c.count);
      const at::Tensor logits_CV = ChunkLogits(states_CD, weight_VD, rows, c.begin, buffer);
      const at::Tensor grad_CV = ScoreGradient(
          logits_CV, {Part(rows.targets_M, c), rows.temperature}, PartOf(all, c),
          {Part(log_prob_grad_M, c), Part(entropy_grad_M, c), states_MD.scalar_type()});
      Multiply(Product::kAB, grad_CV, weight_VD, hidden_grad_MD.narrow(0, c.begin, c.count));
      if (trained) Multiply(Product::kAtB, grad_CV, states_CD, weight_grad_VD, true);
    });
    const at::Tensor hidden_grad_ND = at::zeros_like(hidden_ND);
    hidden_grad_ND.index_add_(0, rows.rows_M, hidden_grad_MD);
    return {hidden_grad_ND, trained ? weight_grad_VD.to(weight_VD.scalar_type()) : at::Tensor(),
            at::Tensor()};
  }
};

at::Tensor Ids(const std::vector<int64_t>& ids, at::Device device) {
  if (ids.empty()) return at::Tensor();
  return at::tensor(ids, at::TensorOptions().dtype(at::kLong)).to(device);
}

}  // namespace

TokenScores ScoreTokens(const at::Tensor& hidden_ND, const at::Tensor& weight_VD,
                        const TokenQuery& query) {
  TY_CHECK(query.temperature > 0.0);
  const int64_t count = query.rows_M.size(0);
  if (count == 0) {
    const at::Tensor none =
        hidden_ND.to(WideType(hidden_ND.scalar_type())).narrow(0, 0, 0).sum({1});
    return {none, none};
  }
  const TokenMask& mask = query.mask;
  const bool early = mask.early_M.defined() && !mask.early_forbidden_ids.empty();
  const at::Tensor picks_M = PadRows(at::arange(count, query.rows_M.options()));
  Rows rows;
  rows.rows_M = query.rows_M.index_select(0, picks_M);
  rows.targets_M = query.targets_M.index_select(0, picks_M);
  rows.forbidden_ids = Ids(mask.forbidden_ids, hidden_ND.device());
  rows.temperature = query.temperature;
  if (early) {
    rows.early_ids = Ids(mask.early_forbidden_ids, hidden_ND.device());
    rows.early_M = mask.early_M.index_select(0, picks_M);
  }
  const variable_list scores = TokenScoresFunction::apply(hidden_ND, weight_VD, rows);
  return {scores[0].narrow(0, 0, count), scores[1].narrow(0, 0, count)};
}

}  // namespace trainyard::model
