// The losses of PPO on one micro-batch. Sums over trained tokens, never means: the learner divides
// once by the minibatch's global number of them.
//
// Schulman et al., arXiv:1707.06347, equation 7; value clipping as in its reference code; dual
// clip: Ye et al., arXiv:1912.09729, equation 5.
//
// Shapes: M trained tokens. Throws c10::Error like everything in model/; one thread at a time.

#ifndef TRAINYARD_WORKER_OBJECTIVE_PPO_H_
#define TRAINYARD_WORKER_OBJECTIVE_PPO_H_

#include <ATen/core/Tensor.h>

#include "worker/learner_options.h"

namespace trainyard::worker {

// All [M], in the type of the log-probs, without gradient.
struct PolicyTargets {
  at::Tensor old_log_prob_M;
  at::Tensor reference_log_prob_M;
  at::Tensor advantage_M;
};

// Sums over the micro-batch's tokens, but for the maxima. What a minibatch reports is the sum over
// all micro-batches and ranks, divided once.
struct PolicySums {
  double loss = 0;
  double ratio = 0;
  double ratio_max = 0;
  double ratio_distance_max = 0;  // of |ratio - 1|: 0 in the first minibatch of an iteration
  double clipped = 0;        // tokens whose ratio lies outside of 1 +- clip_ratio
  double entropy = 0;
  double kl_old_k3 = 0;      // of (old, now): how far the iteration has moved
  double kl_reference = 0;   // k1 of (now, reference)
};

struct PolicyLoss {
  at::Tensor loss_sum;  // scalar
  PolicySums sums;
};

// sum_t max(-A r, -A clip(r, 1-e, 1+e)), at most -A c where A < 0 (dual clip), r = exp of the
// log-ratio clamped to +-20; minus entropy_weight x entropy; plus kl_loss_weight x (k2 or k3 to the
// reference).
PolicyLoss ComputePolicyLoss(const at::Tensor& log_prob_M, const at::Tensor& entropy_M,
                             const PolicyTargets& targets, const PpoLossOptions& options);

struct ValueLoss {
  at::Tensor loss_sum;  // scalar
  double loss = 0;
  double clipped = 0;  // tokens where the clipped branch is the larger
};

// sum_t 0.5 max((V - R)^2, (clip(V, V_old +- e_v) - R)^2); plain without value_clip.
ValueLoss ComputeValueLoss(const at::Tensor& value_M, const at::Tensor& old_value_M,
                           const at::Tensor& return_M, const PpoLossOptions& options);

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_OBJECTIVE_PPO_H_
