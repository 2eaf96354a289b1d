// What losses and token scores share: chunks of logits, and softmax over them.
//
// Shapes: M chosen rows, C rows of a chunk, V vocabulary, D width.
// Same thread and exception rules as model/transformer.h.

#ifndef TRAINYARD_MODEL_LOGITS_H_
#define TRAINYARD_MODEL_LOGITS_H_

#include <ATen/core/Tensor.h>

namespace trainyard::model {

// Indices padded to a multiple of kRowMultiple by repeating the first. At least one index.
at::Tensor PadRows(const at::Tensor& rows_M);

// A [C, V] buffer of logits in the wide type for chunks of the states' rows: as many rows as stay
// in the processor's cache.
at::Tensor MakeLogitsBuffer(const at::Tensor& states_MD, const at::Tensor& weight_VD);

struct CrossEntropyRows {
  at::Tensor targets_C;  // int64
  at::Tensor weights_C;  // wide
  double z_loss = 0.0;
};

// Sum over rows of weight * (logsumexp - logit[target] + z_loss * logsumexp^2). The logits are
// overwritten.
at::Tensor CrossEntropyOfLogits(const at::Tensor& logits_CV, const CrossEntropyRows& rows);

// The same; `grad_CV` becomes the sum's gradient in `type`.
at::Tensor CrossEntropyWithGradient(const at::Tensor& logits_CV, const CrossEntropyRows& rows,
                                    at::ScalarType type, at::Tensor* grad_CV);

struct ScoredTargets {
  at::Tensor targets_C;  // int64
  double temperature = 1.0;
};

// Views into which scores are written, in the wide type.
struct LogitScores {
  at::Tensor log_prob_C;    // of the target at the temperature
  at::Tensor entropy_C;     // of the row's distribution, in nats
  at::Tensor normaliser_C;  // logsumexp at the temperature
};

// Scores each row's target. A logit that is forbidden is kForbiddenLogit times the temperature.
void ScoreLogits(const at::Tensor& logits_CV, const ScoredTargets& rows, const LogitScores& out);

// Low enough that exp() of it is 0, high enough that 0 times it is 0.
inline constexpr double kForbiddenLogit = -1e30;

struct ScoreGradients {
  at::Tensor log_prob_C;  // wide
  at::Tensor entropy_C;
  at::ScalarType type = at::kFloat;  // of the result
};

// The gradient of the logits from those of their scores. The logits may be overwritten.
at::Tensor ScoreGradient(const at::Tensor& logits_CV, const ScoredTargets& rows,
                         const LogitScores& scores, const ScoreGradients& gradients);

}  // namespace trainyard::model

#endif  // TRAINYARD_MODEL_LOGITS_H_
