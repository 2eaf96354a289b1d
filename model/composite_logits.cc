#include "model/composite_logits.h"

#include <ATen/ATen.h>

namespace trainyard::model::composite {
namespace {

at::Tensor RowLosses(const at::Tensor& logits_CV, const CrossEntropyRows& rows,
                     const at::Tensor& normaliser_C) {
  const at::Tensor targets_C = logits_CV.gather(1, rows.targets_C.unsqueeze(1)).squeeze(1);
  at::Tensor losses_C = normaliser_C - targets_C;
  if (rows.z_loss != 0.0) losses_C = losses_C + rows.z_loss * normaliser_C.square();
  return losses_C * rows.weights_C;
}

}  // namespace

at::Tensor CrossEntropyOfLogits(const at::Tensor& logits_CV, const CrossEntropyRows& rows) {
  return RowLosses(logits_CV, rows, logits_CV.logsumexp({1})).sum();
}

at::Tensor CrossEntropyWithGradient(const at::Tensor& logits_CV, const CrossEntropyRows& rows,
                                    at::ScalarType type, at::Tensor* grad_CV) {
  const at::Tensor normaliser_C = logits_CV.logsumexp({1});
  const at::Tensor loss = RowLosses(logits_CV, rows, normaliser_C).sum();
  const at::Tensor factor_C = rows.weights_C * (1.0 + 2.0 * rows.z_loss * normaliser_C);
  logits_CV.sub_(normaliser_C.unsqueeze(1)).exp_().mul_(factor_C.unsqueeze(1));
  logits_CV.scatter_add_(1, rows.targets_C.unsqueeze(1), -rows.weights_C.unsqueeze(1));
  *grad_CV = logits_CV.to(type);
  return loss;
}

void ScoreLogits(const at::Tensor& logits_CV, const ScoredTargets& rows, const LogitScores& out) {
  const at::Tensor tempered_CV = logits_CV / rows.temperature;
  const at::Tensor normaliser_C = tempered_CV.logsumexp({1});
  const at::Tensor chosen_C = tempered_CV.gather(1, rows.targets_C.unsqueeze(1)).squeeze(1);
  const at::Tensor prob_CV = (tempered_CV - normaliser_C.unsqueeze(1)).exp_();
  out.normaliser_C.copy_(normaliser_C);
  out.log_prob_C.copy_(chosen_C - normaliser_C);
  out.entropy_C.copy_(normaliser_C - (prob_CV * tempered_CV).sum({1}));
}

at::Tensor ScoreGradient(const at::Tensor& logits_CV, const ScoredTargets& rows,
                         const LogitScores& scores, const ScoreGradients& gradients) {
  const at::Tensor log_prob_CV = logits_CV / rows.temperature - scores.normaliser_C.unsqueeze(1);
  const at::Tensor chosen_C1 = gradients.log_prob_C.unsqueeze(1).contiguous();
  // d log p_t / d logit_j = [j = t] - p_j;  d H / d logit_j = -p_j (log p_j + H).
  const at::Tensor grad_CV = (log_prob_CV + scores.entropy_C.unsqueeze(1))
                                 .mul_(gradients.entropy_C.unsqueeze(1))
                                 .add_(chosen_C1)
                                 .mul_(log_prob_CV.exp())
                                 .neg_();
  grad_CV.scatter_add_(1, rows.targets_C.unsqueeze(1), chosen_C1);
  return grad_CV.div_(rows.temperature).to(gradients.type);
}

}  // namespace trainyard::model::composite
