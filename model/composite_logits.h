// The functions of model/logits.h written with ATen's own: what runs on devices without kernels of
// ours, and the oracle that the kernels are tested against.
//
// Shapes: C rows of a chunk, V vocabulary.

#ifndef TRAINYARD_MODEL_COMPOSITE_LOGITS_H_
#define TRAINYARD_MODEL_COMPOSITE_LOGITS_H_

#include <ATen/core/Tensor.h>

#include "model/logits.h"

namespace trainyard::model::composite {

at::Tensor CrossEntropyOfLogits(const at::Tensor& logits_CV, const CrossEntropyRows& rows);
at::Tensor CrossEntropyWithGradient(const at::Tensor& logits_CV, const CrossEntropyRows& rows,
                                    at::ScalarType type, at::Tensor* grad_CV);
void ScoreLogits(const at::Tensor& logits_CV, const ScoredTargets& rows, const LogitScores& out);
at::Tensor ScoreGradient(const at::Tensor& logits_CV, const ScoredTargets& rows,
                         const LogitScores& scores, const ScoreGradients& gradients);

}  // namespace trainyard::model::composite

#endif  // TRAINYARD_MODEL_COMPOSITE_LOGITS_H_
