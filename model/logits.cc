#include "model/logits.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "model/composite_logits.h"
#include "model/gemm.h"
#include "model/parallel_rows.h"

namespace trainyard::model {
namespace {

constexpr int64_t kLogitsBufferBytes = int64_t{4} << 20;

// `grad_CV` undefined: no gradient.
at::Tensor CpuCrossEntropy(const at::Tensor& logits_CV, const CrossEntropyRows& rows,
                           const at::Tensor& grad_CV) {
  const at::Tensor losses_C = at::empty_like(rows.weights_C);
  const int64_t vocabulary = logits_CV.size(1);
  const at::Tensor targets_C = rows.targets_C.contiguous(), weights_C = rows.weights_C.contiguous();
  const auto type = grad_CV.defined() ? grad_CV.scalar_type() : logits_CV.scalar_type();
  WithKernelType(type, [&](auto kind) {
    using T = decltype(kind);
    using Wide = typename WideOf<T>::type;
    ForEachRows(logits_CV.size(0), vocabulary, [&](int64_t first, int64_t last) {
      for (int64_t row = first; row < last; ++row) {
        const CrossEntropyRow<Wide> entry{vocabulary, *ConstRow<int64_t>(targets_C, row),
                                          *ConstRow<Wide>(weights_C, row),
                                          static_cast<Wide>(rows.z_loss)};
        *MutableRow<Wide>(losses_C, row) = RowKernelsFor<T>().cross_entropy(
            entry, MutableRow<Wide>(logits_CV, row),
            grad_CV.defined() ? MutableRow<T>(grad_CV, row) : nullptr);
      }
    });
  });
  return losses_C.sum();
}

// The logits' own memory when the gradient has their type.
at::Tensor SameOrNew(const at::Tensor& logits_CV, at::ScalarType type) {
  if (type == logits_CV.scalar_type()) return logits_CV;
  return at::empty(logits_CV.sizes(), logits_CV.options().dtype(type));
}

template <typename Wide>
ScoreRow<Wide> ScoreRowOf(const at::Tensor& logits_CV, const ScoredTargets& rows, int64_t row) {
  return {logits_CV.size(1), *ConstRow<int64_t>(rows.targets_C, row),
          static_cast<Wide>(1.0 / rows.temperature)};
}

}  // namespace

at::Tensor PadRows(const at::Tensor& rows_M) {
  const int64_t missing = PaddedRows(rows_M.size(0)) - rows_M.size(0);
  if (missing == 0) return rows_M;
  return at::cat({rows_M, rows_M.narrow(0, 0, 1).expand({missing})});
}

at::Tensor MakeLogitsBuffer(const at::Tensor& states_MD, const at::Tensor& weight_VD) {
  const auto options = states_MD.options().dtype(WideType(states_MD.scalar_type()));
  const int64_t vocabulary = weight_VD.size(0);
  const int64_t fitting = kLogitsBufferBytes / (vocabulary * static_cast<int64_t>(sizeof(float)));
  const int64_t rows = std::max<int64_t>(fitting / kRowMultiple, 4) * kRowMultiple;
  return at::empty({std::min(rows, states_MD.size(0)), vocabulary}, options);
}

at::Tensor CrossEntropyOfLogits(const at::Tensor& logits_CV, const CrossEntropyRows& rows) {
  if (!logits_CV.is_cpu()) return composite::CrossEntropyOfLogits(logits_CV, rows);
  return CpuCrossEntropy(logits_CV, rows, at::Tensor());
}

at::Tensor CrossEntropyWithGradient(const at::Tensor& logits_CV, const CrossEntropyRows& rows,
                                    at::ScalarType type, at::Tensor* grad_CV) {
  if (!logits_CV.is_cpu()) {
    return composite::CrossEntropyWithGradient(logits_CV, rows, type, grad_CV);
  }
  *grad_CV = SameOrNew(logits_CV, type);
  return CpuCrossEntropy(logits_CV, rows, *grad_CV);
}

void ScoreLogits(const at::Tensor& logits_CV, const ScoredTargets& rows, const LogitScores& out) {
  if (!logits_CV.is_cpu()) return composite::ScoreLogits(logits_CV, rows, out);
  WithKernelType(logits_CV.scalar_type(), [&](auto kind) {
    using Wide = typename WideOf<decltype(kind)>::type;
    ForEachRows(logits_CV.size(0), logits_CV.size(1), [&](int64_t first, int64_t last) {
      for (int64_t row = first; row < last; ++row) {
        const RowScores<Wide> scores = RowKernelsFor<Wide>().score(
            ScoreRowOf<Wide>(logits_CV, rows, row), ConstRow<Wide>(logits_CV, row));
        *MutableRow<Wide>(out.log_prob_C, row) = scores.log_prob;
        *MutableRow<Wide>(out.entropy_C, row) = scores.entropy;
        *MutableRow<Wide>(out.normaliser_C, row) = scores.normaliser;
      }
    });
  });
}

at::Tensor ScoreGradient(const at::Tensor& logits_CV, const ScoredTargets& rows,
                         const LogitScores& scores, const ScoreGradients& gradients) {
  if (!logits_CV.is_cpu()) return composite::ScoreGradient(logits_CV, rows, scores, gradients);
  const at::Tensor grad_CV = SameOrNew(logits_CV, gradients.type);
  WithKernelType(gradients.type, [&](auto kind) {
    using T = decltype(kind);
    using Wide = typename WideOf<T>::type;
    ForEachRows(logits_CV.size(0), logits_CV.size(1), [&](int64_t first, int64_t last) {
      for (int64_t row = first; row < last; ++row) {
        RowKernelsFor<T>().score_backward(
            ScoreRowOf<Wide>(logits_CV, rows, row),
            {0, *ConstRow<Wide>(scores.entropy_C, row), *ConstRow<Wide>(scores.normaliser_C, row)},
            {*ConstRow<Wide>(gradients.log_prob_C, row), *ConstRow<Wide>(gradients.entropy_C, row)},
            ConstRow<Wide>(logits_CV, row), MutableRow<T>(grad_CV, row));
      }
    });
  });
  return grad_CV;
}

}  // namespace trainyard::model
