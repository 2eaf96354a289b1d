// Kernels over one row of memory each, for the parts of a layer between the matrix products.
// Numbers of type T (double, float, bfloat16) come and go; everything between is of type Wide
// (double for double, else float). A row's bits depend on the row and the instruction set alone.
//
// Tables of functions per instruction set; no state, any thread. Shapes: D width, V vocabulary.

#ifndef TRAINYARD_MODEL_ROW_KERNELS_H_
#define TRAINYARD_MODEL_ROW_KERNELS_H_

#include <cstdint>

namespace trainyard::model {

// bfloat16 as it lies in memory; the kernels convert by themselves.
struct Bf16 {
  uint16_t bits;
};

template <typename T>
struct WideOf {
  using type = float;
};
template <>
struct WideOf<double> {
  using type = double;
};

// Layer normalisation of one row: out = (x - mean) * inverse * weight + bias. RMSNorm
// (arXiv:1910.07467) without a bias: mean is 0.
template <typename T>
struct NormRow {
  const T* x = nullptr;
  const T* weight = nullptr;
  const T* bias = nullptr;  // null: RMSNorm
  int64_t width = 0;
  double epsilon = 0.0;
};

template <typename Wide>
struct NormMoments {
  Wide mean = 0;
  Wide inverse = 0;  // 1 / root of the mean square (or variance) plus epsilon
};

template <typename T>
struct NormGradient {
  const T* grad_out = nullptr;
  T* grad_x = nullptr;                              // written
  typename WideOf<T>::type* grad_weight = nullptr;  // added to
  typename WideOf<T>::type* grad_bias = nullptr;    // added to; null: RMSNorm
};

// Rotation of one head's row by the angles of its position; the halves are the pairs.
struct Rotation {
  const float* cos = nullptr;  // null: no rotation, a copy
  const float* sin = nullptr;
  int64_t width = 0;  // even
};

// One row of causal attention weights: the first `visible` of `width` scores count, the others
// become 0.
struct SoftmaxRow {
  int64_t visible = 0;
  int64_t width = 0;
};

// One row of logits against its target: weight * (logsumexp - logit[target] + z_loss *
// logsumexp^2).
template <typename Wide>
struct CrossEntropyRow {
  int64_t vocabulary = 0;
  int64_t target = 0;
  Wide weight = 0;
  Wide z_loss = 0;
};

// One row of logits, at a temperature, whose target is scored. Forbidden logits are hugely
// negative.
template <typename Wide>
struct ScoreRow {
  int64_t vocabulary = 0;
  int64_t target = 0;
  Wide inverse_temperature = 1;
};

template <typename Wide>
struct RowScores {
  Wide log_prob = 0;    // of the target
  Wide entropy = 0;     // of the row's distribution
  Wide normaliser = 0;  // log of the sum of exponentials
};

template <typename Wide>
struct RowScoreGradients {
  Wide log_prob = 0;
  Wide entropy = 0;
};

template <typename T>
struct RowKernels {
  using Wide = typename WideOf<T>::type;

  NormMoments<Wide> (*norm)(const NormRow<T>& row, T* out);
  void (*norm_backward)(const NormRow<T>& row, const NormMoments<Wide>& moments,
                        const NormGradient<T>& gradient);
  // out = silu(gate) * up; the backward gives both gradients.
  void (*swiglu)(const T* gate, const T* up, int64_t width, T* out);
  void (*swiglu_backward)(const T* gate_up, const T* grad_out, int64_t width, T* grad_gate_up);
  // GELU with the tanh approximation (arXiv:1606.08415).
  void (*gelu)(const T* x, int64_t width, T* out);
  void (*gelu_backward)(const T* x, const T* grad_out, int64_t width, T* grad_x);
  void (*rotate)(const Rotation& rotation, const T* x, T* out);
  void (*rotate_back)(const Rotation& rotation, const Wide* grad_out, T* grad_x);
  // Turns scores into weights, and returns the log of the sum of their exponentials. The scores are
  // overwritten; `out` may be the scores' memory when T is Wide.
  Wide (*softmax)(const SoftmaxRow& row, Wide* scores, T* out);
  // The weights again from scores and `normaliser`, in `weights`; then their gradient
  // weight * (grad_weight - delta) * scale in `grad_scores`. grad_scores may be grad_weights'
  // memory.
  void (*softmax_again)(const SoftmaxRow& row, const Wide* scores, Wide normaliser, T* weights);
  void (*softmax_backward)(const SoftmaxRow& row, const T* weights, const Wide* grad_weights,
                           Wide delta_and_scale[2], T* grad_scores);
  Wide (*dot)(const T* a, const T* b, int64_t width);
  // out = x (+ addend): from wide sums to T.
  void (*narrow)(const Wide* x, const T* addend, int64_t width, T* out);
  // Returns the loss; `grad` (may be the logits' memory when T is Wide; null: no gradient) gets its
  // gradient.
  Wide (*cross_entropy)(const CrossEntropyRow<Wide>& row, Wide* logits, T* grad);
  RowScores<Wide> (*score)(const ScoreRow<Wide>& row, const Wide* logits);
  // `grad` (may be the logits' memory when T is Wide) gets the logits' gradient.
  void (*score_backward)(const ScoreRow<Wide>& row, const RowScores<Wide>& scores,
                         const RowScoreGradients<Wide>& gradients, const Wide* logits, T* grad);
};

// The table for the best instruction set of this machine. T: double, float, Bf16.
template <typename T>
const RowKernels<T>& RowKernelsFor();

namespace internal {
struct RowKernelTables {
  RowKernels<double> f64;
  RowKernels<float> f32;
  RowKernels<Bf16> bf16;
};
// Null where the machine or the build lacks the instructions.
const RowKernelTables* PlainRowKernels();
const RowKernelTables* Avx2RowKernels();
const RowKernelTables* Avx512RowKernels();
}  // namespace internal

}  // namespace trainyard::model

#endif  // TRAINYARD_MODEL_ROW_KERNELS_H_
