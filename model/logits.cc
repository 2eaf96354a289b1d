#include "model/logits.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "model/gemm.h"
#include "model/parallel_rows.h"

namespace trainyard::model {
namespace {

constexpr int64_t kLogitsBufferBytes = int64_t{4} << 20;

at::Tensor RowLosses(const at::Tensor& logits_CV, const CrossEntropyRows& rows,
                     const at::Tensor& normaliser_C) {
  const at::Tensor targets_C = logits_CV.gather(1, rows.targets_C.unsqueeze(1)).squeeze(1);
  at::Tensor losses_C = normaliser_C - targets_C;
  if (rows.z_loss != 0.0) losses_C = losses_C + rows.z_loss * normaliser_C.square();
  return losses_C * rows.weights_C;
}

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
  if (logits_CV.is_cpu()) return CpuCrossEntropy(logits_CV, rows, at::Tensor());
  return RowLosses(logits_CV, rows, logits_CV.logsumexp({1})).sum();
}

at::Tensor CrossEntropyWithGradient(const at::Tensor& logits_CV, const CrossEntropyRows& rows,
                                    at::ScalarType type, at::Tensor* grad_CV) {
  if (logits_CV.is_cpu()) {
    *grad_CV = type == logits_CV.scalar_type()
                   ? logits_CV
                   : at::empty(logits_CV.sizes(), logits_CV.options().dtype(type));
    return CpuCrossEntropy(logits_CV, rows, *grad_CV);
  }
  const at::Tensor normaliser_C = logits_CV.logsumexp({1});
  const at::Tensor loss = RowLosses(logits_CV, rows, normaliser_C).sum();
  const at::Tensor factor_C = rows.weights_C * (1.0 + 2.0 * rows.z_loss * normaliser_C);
  logits_CV.sub_(normaliser_C.unsqueeze(1)).exp_().mul_(factor_C.unsqueeze(1));
  logits_CV.scatter_add_(1, rows.targets_C.unsqueeze(1), -rows.weights_C.unsqueeze(1));
  *grad_CV = logits_CV.to(type);
  return loss;
}

}  // namespace trainyard::model
