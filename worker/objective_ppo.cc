#include "worker/objective_ppo.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

namespace trainyard::worker {
namespace {

// Beyond it exp overflows in fp32 long after the ratio has lost its meaning.
constexpr double kLogRatioLimit = 20.0;

at::Tensor KlTerm(const at::Tensor& log_prob_M, const at::Tensor& reference_M, KlLoss kind) {
  const at::Tensor k1_M = log_prob_M - reference_M;
  if (kind == KlLoss::kK2) return 0.5 * k1_M * k1_M;
  return at::expm1(-k1_M) + k1_M;
}

double Sum(const at::Tensor& values_M) { return at::sum(values_M, at::kDouble).item<double>(); }

}  // namespace

PolicyLoss ComputePolicyLoss(const at::Tensor& log_prob_M, const at::Tensor& entropy_M,
                             const PolicyTargets& targets, const PpoLossOptions& options) {
  const at::Tensor log_ratio_M =
      at::clamp(log_prob_M - targets.old_log_prob_M, -kLogRatioLimit, kLogRatioLimit);
  const at::Tensor ratio_M = at::exp(log_ratio_M);
  const at::Tensor clipped_M =
      at::clamp(ratio_M, 1.0 - options.clip_ratio, 1.0 + options.clip_ratio);
  const at::Tensor& advantage_M = targets.advantage_M;
  at::Tensor loss_M = at::maximum(-advantage_M * ratio_M, -advantage_M * clipped_M);
  if (options.dual_clip > 0) {
    const at::Tensor bounded_M = at::minimum(loss_M, -advantage_M * options.dual_clip);
    loss_M = at::where(advantage_M < 0, bounded_M, loss_M);
  }

  PolicyLoss result;
  result.loss_sum = at::sum(loss_M);
  if (options.entropy_weight != 0) {
    result.loss_sum = result.loss_sum - options.entropy_weight * at::sum(entropy_M);
  }
  if (options.kl_loss != KlLoss::kNone) {
    const at::Tensor kl_M = KlTerm(log_prob_M, targets.reference_log_prob_M, options.kl_loss);
    result.loss_sum = result.loss_sum + options.kl_loss_weight * at::sum(kl_M);
  }

  c10::NoGradGuard no_grad;
  PolicySums& sums = result.sums;
  sums.loss = result.loss_sum.item<double>();
  sums.ratio = Sum(ratio_M);
  sums.ratio_max = ratio_M.max().item<double>();
  const at::Tensor distance_M = (ratio_M - 1.0).abs();
  sums.ratio_distance_max = distance_M.max().item<double>();
  sums.clipped = Sum(distance_M > options.clip_ratio);
  sums.entropy = Sum(entropy_M);
  sums.kl_old_k3 = Sum(at::expm1(log_ratio_M) - log_ratio_M);
  sums.kl_reference = Sum(log_prob_M - targets.reference_log_prob_M);
  return result;
}

ValueLoss ComputeValueLoss(const at::Tensor& value_M, const at::Tensor& old_value_M,
                           const at::Tensor& return_M, const PpoLossOptions& options) {
  const at::Tensor error_M = at::square(value_M - return_M);
  at::Tensor loss_M = error_M;
  at::Tensor clipped_error_M = error_M;
  if (options.value_clip > 0) {
    const at::Tensor clipped_M = at::clamp(value_M, old_value_M - options.value_clip,
                                           old_value_M + options.value_clip);
    clipped_error_M = at::square(clipped_M - return_M);
    loss_M = at::maximum(error_M, clipped_error_M);
  }
  ValueLoss result;
  result.loss_sum = 0.5 * at::sum(loss_M);

  c10::NoGradGuard no_grad;
  result.loss = result.loss_sum.item<double>();
  result.clipped = Sum(clipped_error_M > error_M);
  return result;
}

}  // namespace trainyard::worker
