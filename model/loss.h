// Losses on hidden states, without ever holding all logits. Sums over units, never means: the
// trainer divides once by the global number of units.
//
// Shapes: N packed rows, M chosen rows, V vocabulary, D width, G scores.
// Same thread and exception rules as model/transformer.h.

#ifndef TRAINYARD_MODEL_LOSS_H_
#define TRAINYARD_MODEL_LOSS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace trainyard::model {

struct CrossEntropyTargets {
  at::Tensor targets_N;  // int64: the token after each row; read only where the weight is not 0
  at::Tensor weights_N;  // float32: 0 = not trained (also for inert rows)
};

// Sum over rows of weight * (-log softmax(hidden W^T)[target] + z_loss * logsumexp^2), a scalar in
// fp32 (float64 for float64 states). Linear product, softmax and their gradients go chunk by chunk
// over the rows with a weight; logits are fp32 or better. z-loss: PaLM, arXiv:2204.02311,
// section 5.
at::Tensor LinearCrossEntropy(const at::Tensor& hidden_ND, const at::Tensor& weight_VD,
                              const CrossEntropyTargets& targets, double z_loss = 0.0);

// Which tokens are impossible, as part of the policy's definition.
struct TokenMask {
  std::vector<int64_t> forbidden_ids;        // in every row
  std::vector<int64_t> early_forbidden_ids;  // only in rows with early_M (the end token, too soon)
  at::Tensor early_M;                        // bool; undefined: no such row
};

struct TokenQuery {
  at::Tensor rows_M;     // int64: rows of hidden states that predict
  at::Tensor targets_M;  // int64: the token that came, must not be forbidden in its row
  double temperature = 1.0;
  TokenMask mask;
};

// Both [M], fp32 (float64 for float64 states), both differentiable.
struct TokenScores {
  at::Tensor log_prob_M;  // of the target at the temperature, under the mask
  at::Tensor entropy_M;   // of the whole masked distribution, in nats
};

// Log-probabilities for PPO and evaluation. A row's values do not depend on the other rows asked
// for.
TokenScores ScoreTokens(const at::Tensor& hidden_ND, const at::Tensor& weight_VD,
                        const TokenQuery& query);

// K answers of one prompt: indices into the scores, and what people gave them.
struct RankedGroup {
  std::vector<int64_t> score_rows;
  std::vector<double> ratings;  // higher is better
};

struct RankingOptions {
  double margin = 0.0;              // log sigmoid(r_w - r_l - margin)
  double minimum_rating_gap = 0.0;  // pairs closer than this are dropped; ties always are
};

struct RankingLoss {
  at::Tensor loss_sum;  // scalar; sum over groups of the mean over their pairs
  int64_t groups = 0;   // groups with a pair left: the units
  int64_t pairs = 0;
  int64_t correct_pairs = 0;  // r_w > r_l
};

// The InstructGPT reward-model loss (arXiv:2203.02155, eq. 1) over groups. InvalidArgument names
// the group whose sizes differ or whose indices lie outside of scores_G.
absl::StatusOr<RankingLoss> PairwiseRankingLoss(const at::Tensor& scores_G,
                                                absl::Span<const RankedGroup> groups,
                                                const RankingOptions& options);

}  // namespace trainyard::model

#endif  // TRAINYARD_MODEL_LOSS_H_
