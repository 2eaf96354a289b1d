#include "model/loss.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "model/gemm.h"
#include "model/logits.h"

namespace trainyard::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Gradients {
  at::Tensor hidden_MD;  // in the states' type
  at::Tensor weight_VD;  // wide; undefined: the matrix is frozen
};

struct ChosenTargets {
  at::Tensor targets_M;
  at::Tensor weights_M;  // wide; 0 in the padding
  double z_loss = 0.0;
};

// The sum over all chunks, and the gradients of that sum when `gradients` is given.
at::Tensor RunChunks(const at::Tensor& states_MD, const at::Tensor& weight_VD,
                     const ChosenTargets& chosen, Gradients* gradients) {
  at::Tensor total = at::zeros({}, chosen.weights_M.options());
  const int64_t rows = states_MD.size(0);
  const at::Tensor logits = MakeLogitsBuffer(states_MD, weight_VD);
  for (int64_t begin = 0; begin < rows; begin += logits.size(0)) {
    const int64_t count = std::min(logits.size(0), rows - begin);
    const at::Tensor states_CD = states_MD.narrow(0, begin, count);
    const at::Tensor logits_CV = logits.narrow(0, 0, count);
    Multiply(Product::kABt, states_CD, weight_VD, logits_CV);
    const CrossEntropyRows chunk{chosen.targets_M.narrow(0, begin, count),
                                 chosen.weights_M.narrow(0, begin, count), chosen.z_loss};
    if (gradients == nullptr) {
      total.add_(CrossEntropyOfLogits(logits_CV, chunk));
      continue;
    }
    at::Tensor grad_CV;
    total.add_(CrossEntropyWithGradient(logits_CV, chunk, states_MD.scalar_type(), &grad_CV));
    Multiply(Product::kAB, grad_CV, weight_VD, gradients->hidden_MD.narrow(0, begin, count));
    if (!gradients->weight_VD.defined()) continue;
    Multiply(Product::kAtB, grad_CV, states_CD, gradients->weight_VD, /*accumulate=*/true);
  }
  return total;
}

// The gradients of a sum do not depend on anything that comes later but one factor, so they are
// taken while the logits are at hand.
class CrossEntropyFunction : public torch::autograd::Function<CrossEntropyFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& hidden_ND,
                            const at::Tensor& weight_VD, const at::Tensor& rows_M,
                            const ChosenTargets& chosen) {
    const bool wants_gradient = hidden_ND.requires_grad() || weight_VD.requires_grad();
    const at::Tensor states_MD = hidden_ND.index_select(0, rows_M);
    if (!wants_gradient) return RunChunks(states_MD, weight_VD, chosen, nullptr);
    Gradients gradients{at::empty_like(states_MD), at::Tensor()};
    if (weight_VD.requires_grad()) {
      gradients.weight_VD = at::zeros(weight_VD.sizes(), chosen.weights_M.options());
    }
    const at::Tensor total = RunChunks(states_MD, weight_VD, chosen, &gradients);
    context->save_for_backward({rows_M, gradients.hidden_MD, gradients.weight_VD});
    context->saved_data["rows"] = hidden_ND.size(0);
    context->saved_data["type"] = static_cast<int64_t>(weight_VD.scalar_type());
    return total;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &rows_M = saved[0], &hidden_grad_MD = saved[1], &weight_grad_VD = saved[2];
    const auto type = static_cast<at::ScalarType>(context->saved_data["type"].toInt());
    const at::Tensor scale = grads[0];
    const at::Tensor hidden_grad_ND = at::zeros(
        {context->saved_data["rows"].toInt(), hidden_grad_MD.size(1)}, hidden_grad_MD.options());
    // The padding repeats a row with weight 0, hence adds.
    hidden_grad_ND.index_add_(0, rows_M, hidden_grad_MD * scale.to(type));
    variable_list result(6);
    result[0] = hidden_grad_ND;
    if (weight_grad_VD.defined()) result[1] = (weight_grad_VD * scale).to(type);
    return result;
  }
};

}  // namespace

at::Tensor LinearCrossEntropy(const at::Tensor& hidden_ND, const at::Tensor& weight_VD,
                              const CrossEntropyTargets& targets, double z_loss) {
  const at::Tensor trained_M = targets.weights_N.nonzero().squeeze(1);
  const auto wide = WideType(hidden_ND.scalar_type());
  if (trained_M.size(0) == 0) return hidden_ND.to(wide).sum() * 0.0;
  const at::Tensor rows_M = PadRows(trained_M);
  at::Tensor weights_M = targets.weights_N.index_select(0, rows_M).to(wide);
  weights_M.narrow(0, trained_M.size(0), rows_M.size(0) - trained_M.size(0)).zero_();
  const ChosenTargets chosen{targets.targets_N.index_select(0, rows_M), weights_M, z_loss};
  if (!at::GradMode::is_enabled()) {
    return RunChunks(hidden_ND.index_select(0, rows_M), weight_VD, chosen, nullptr);
  }
  return CrossEntropyFunction::apply(hidden_ND, weight_VD, rows_M, chosen);
}

}  // namespace trainyard::model
