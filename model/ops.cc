#include "model/ops.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "model/gemm.h"

namespace trainyard::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class LinearFunction : public torch::autograd::Function<LinearFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x_NI,
                            const at::Tensor& weight_OI, const std::optional<at::Tensor>& bias_O) {
    context->save_for_backward({x_NI, weight_OI});
    context->saved_data["bias"] = bias_O.has_value();
    const at::Tensor out_NO = at::empty({x_NI.size(0), weight_OI.size(0)}, x_NI.options());
    Multiply(Product::kABt, x_NI, weight_OI, out_NO);
    if (bias_O.has_value()) out_NO.add_(*bias_O);
    return out_NO;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x_NI = saved[0], &weight_OI = saved[1];
    const at::Tensor grad_NO = grads[0].contiguous();
    variable_list result(3);
    if (context->needs_input_grad(0)) {
      result[0] = at::empty_like(x_NI);
      Multiply(Product::kAB, grad_NO, weight_OI, result[0]);
    }
    if (context->needs_input_grad(1)) {
      result[1] = at::empty_like(weight_OI);
      Multiply(Product::kAtB, grad_NO, x_NI, result[1]);
    }
    if (context->saved_data["bias"].toBool()) result[2] = grad_NO.sum({0});
    return result;
  }
};

}  // namespace

at::Tensor Linear(const at::Tensor& x_NI, const at::Tensor& weight_OI, const at::Tensor& bias_O) {
  const auto bias = bias_O.defined() ? std::optional<at::Tensor>(bias_O) : std::nullopt;
  if (x_NI.is_cpu()) return LinearFunction::apply(x_NI, weight_OI, bias);
  return at::linear(x_NI, weight_OI, bias_O);
}

at::Tensor Norm(const at::Tensor& x_ND, const at::Tensor& weight_D, const at::Tensor& bias_D,
                double epsilon) {
  if (bias_D.defined()) return composite::LayerNorm(x_ND, weight_D, bias_D, epsilon);
  return composite::RmsNorm(x_ND, weight_D, epsilon);
}

at::Tensor SwiGlu(const at::Tensor& gate_up_N2F) { return composite::SwiGlu(gate_up_N2F); }

at::Tensor GeluTanh(const at::Tensor& x_NF) { return composite::GeluTanh(x_NF); }

at::Tensor Attention(const at::Tensor& qkv, const AttentionLayout& layout) {
  return composite::Attention(qkv, layout);
}

}  // namespace trainyard::model
