#include "model/ops.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>
#include <utility>

#include "base/status.h"
#include "model/attention.h"
#include "model/gemm.h"
#include "model/parallel_rows.h"

namespace trainyard::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Rows whose share of a norm's weight gradient is summed by one task: fixed, so that the sum does
// not depend on the number of threads.
constexpr int64_t kRowsPerSum = 128;

// A product in the factors' type: with bfloat16 the sums are rounded once, after the bias.
at::Tensor TypedProduct(Product product, const at::Tensor& a, const at::Tensor& b,
                        const at::Tensor& bias) {
  const int64_t rows = product == Product::kAtB ? a.size(1) : a.size(0);
  const int64_t columns = product == Product::kABt ? b.size(0) : b.size(1);
  if (!bias.defined() && Bf16ProductsHere() == Bf16Products::kVectors) {
    const at::Tensor rounded = at::empty({rows, columns}, a.options());
    Multiply(product, a, b, rounded);
    return rounded;
  }
  const auto wide = a.options().dtype(WideType(a.scalar_type()));
  const at::Tensor sums = at::empty({rows, columns}, wide);
  Multiply(product, a, b, sums);
  if (a.scalar_type() == sums.scalar_type() && !bias.defined()) return sums;
  const at::Tensor out =
      a.scalar_type() == sums.scalar_type() ? sums : at::empty({rows, columns}, a.options());
  NarrowRows(sums, bias, out);
  return out;
}

class LinearFunction : public torch::autograd::Function<LinearFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x_NI,
                            const at::Tensor& weight_OI, const std::optional<at::Tensor>& bias_O) {
    context->save_for_backward({x_NI, weight_OI});
    context->saved_data["bias"] = bias_O.has_value();
    return TypedProduct(Product::kABt, x_NI, weight_OI, bias_O.value_or(at::Tensor()));
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x_NI = saved[0], &weight_OI = saved[1];
    const at::Tensor grad_NO = grads[0].contiguous();
    variable_list result(3);
    if (context->needs_input_grad(0))
      result[0] = TypedProduct(Product::kAB, grad_NO, weight_OI, {});
    if (context->needs_input_grad(1)) result[1] = TypedProduct(Product::kAtB, grad_NO, x_NI, {});
    if (context->saved_data["bias"].toBool() && context->needs_input_grad(2)) {
      result[2] = grad_NO.sum({0});
    }
    return result;
  }
};

// out += product, all of one type.
void AddProduct(Product product, const at::Tensor& a, const at::Tensor& b, const at::Tensor& out) {
  if (WideType(out.scalar_type()) == out.scalar_type()) {
    return Multiply(product, a, b, out, /*accumulate=*/true);
  }
  out.add_(TypedProduct(product, a, b, {}));
}

struct Frozen {
  at::Tensor weight_OI;
  at::Tensor bias_O;  // undefined: none
};

// A product with a frozen matrix, and per adapter scale * (x a^T) b^T on its columns, in the type
// of the matrix. Only the input's gradient is taken through the matrix.
class AdaptedLinearFunction : public torch::autograd::Function<AdaptedLinearFunction> {
 public:
  // `factors`: a and b of each adapter in turn.
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x_NI,
                            at::TensorList factors, const Frozen& frozen,
                            const std::vector<Adapter>& adapters) {
    const at::Tensor out_NO =
        TypedProduct(Product::kABt, x_NI, frozen.weight_OI, frozen.bias_O);
    const auto type = x_NI.scalar_type();
    variable_list saved = {x_NI, frozen.weight_OI};
    std::vector<int64_t> first_rows;
    std::vector<double> scales;
    const bool merged = adapters.front().merged;
    for (size_t i = 0; i < adapters.size(); ++i) {
      const at::Tensor a_RI = factors[2 * i].to(type), b_OR = factors[2 * i + 1].to(type);
      const at::Tensor inner_NR = TypedProduct(Product::kABt, x_NI, a_RI, {});
      inner_NR.mul_(adapters[i].scale);
      if (!merged) {
        AddProduct(Product::kABt, inner_NR, b_OR,
                   out_NO.narrow(1, adapters[i].first_row, b_OR.size(0)));
      }
      saved.insert(saved.end(), {a_RI, b_OR, inner_NR});
      first_rows.push_back(adapters[i].first_row);
      scales.push_back(adapters[i].scale);
    }
    context->save_for_backward(std::move(saved));
    context->saved_data["first_rows"] = first_rows;
    context->saved_data["scales"] = scales;
    context->saved_data["merged"] = merged;
    return out_NO;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const std::vector<int64_t> first_rows = context->saved_data["first_rows"].toIntVector();
    const std::vector<double> scales = context->saved_data["scales"].toDoubleVector();
    const bool merged = context->saved_data["merged"].toBool();
    const at::Tensor &x_NI = saved[0], &weight_OI = saved[1];
    const at::Tensor grad_NO = grads[0].contiguous();
    const auto wide = WideType(x_NI.scalar_type());
    variable_list result(2 * scales.size() + 3);
    const bool input_wanted = context->needs_input_grad(0);
    if (input_wanted) result[0] = TypedProduct(Product::kAB, grad_NO, weight_OI, {});
    for (size_t i = 0; i < scales.size(); ++i) {
      const at::Tensor &a_RI = saved[3 * i + 2], &b_OR = saved[3 * i + 3];
      const at::Tensor& inner_NR = saved[3 * i + 4];
      const at::Tensor part_NO = grad_NO.narrow(1, first_rows[i], b_OR.size(0));
      const at::Tensor inner_grad_NR = TypedProduct(Product::kAB, part_NO, b_OR, {});
      inner_grad_NR.mul_(scales[i]);
      if (input_wanted && !merged) AddProduct(Product::kAB, inner_grad_NR, a_RI, result[0]);
      result[2 * i + 1] = TypedProduct(Product::kAtB, inner_grad_NR, x_NI, {}).to(wide);
      result[2 * i + 2] = TypedProduct(Product::kAtB, part_NO, inner_NR, {}).to(wide);
    }
    return result;
  }
};

template <typename T>
NormRow<T> NormRowOf(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                     double epsilon) {
  return {ConstRow<T>(x, 0), ConstRow<T>(weight, 0),
          bias.defined() ? ConstRow<T>(bias, 0) : nullptr, x.size(1), epsilon};
}

struct NormResult {
  at::Tensor out_ND;
  at::Tensor moments_N2;  // mean, inverse; wide
};

NormResult RunNorm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                   double epsilon) {
  const auto wide = x.options().dtype(WideType(x.scalar_type()));
  const NormResult result{at::empty_like(x), at::empty({x.size(0), 2}, wide)};
  WithKernelType(x.scalar_type(), [&](auto kind) {
    using T = decltype(kind);
    using Wide = typename WideOf<T>::type;
    ForEachRows(x.size(0), x.size(1), [&](int64_t first, int64_t last) {
      NormRow<T> norm = NormRowOf<T>(x, weight, bias, epsilon);
      for (int64_t row = first; row < last; ++row) {
        norm.x = ConstRow<T>(x, row);
        const auto moments = RowKernelsFor<T>().norm(norm, MutableRow<T>(result.out_ND, row));
        Wide* kept = MutableRow<Wide>(result.moments_N2, row);
        kept[0] = moments.mean;
        kept[1] = moments.inverse;
      }
    });
  });
  return result;
}

class NormFunction : public torch::autograd::Function<NormFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x_ND,
                            const at::Tensor& weight_D, const std::optional<at::Tensor>& bias_D,
                            double epsilon) {
    const at::Tensor bias = bias_D.value_or(at::Tensor());
    const NormResult result = RunNorm(x_ND, weight_D, bias, epsilon);
    context->save_for_backward({x_ND, weight_D, bias, result.moments_N2});
    context->saved_data["epsilon"] = epsilon;
    return result.out_ND;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &bias = saved[2], &moments_N2 = saved[3];
    const double epsilon = context->saved_data["epsilon"].toDouble();
    const at::Tensor grad_out = grads[0].contiguous(), grad_x = at::empty_like(x);
    const int64_t rows = x.size(0), width = x.size(1);
    const int64_t sums = (rows + kRowsPerSum - 1) / kRowsPerSum;
    const at::Tensor partial = at::zeros({sums, 2 * width}, moments_N2.options());
    WithKernelType(x.scalar_type(), [&](auto kind) {
      using T = decltype(kind);
      using Wide = typename WideOf<T>::type;
      at::parallel_for(0, sums, 1, [&](int64_t first, int64_t last) {
        NormRow<T> norm = NormRowOf<T>(x, saved[1], bias, epsilon);
        for (int64_t row = first * kRowsPerSum; row < std::min(last * kRowsPerSum, rows); ++row) {
          norm.x = ConstRow<T>(x, row);
          const Wide* kept = ConstRow<Wide>(moments_N2, row);
          Wide* sum = MutableRow<Wide>(partial, row / kRowsPerSum);
          RowKernelsFor<T>().norm_backward(norm, {kept[0], kept[1]},
                                           {ConstRow<T>(grad_out, row), MutableRow<T>(grad_x, row),
                                            sum, bias.defined() ? sum + width : nullptr});
        }
      });
    });
    const at::Tensor total = partial.sum({0}).to(x.scalar_type());
    return {grad_x, total.narrow(0, 0, width),
            bias.defined() ? total.narrow(0, width, width) : at::Tensor(), at::Tensor()};
  }
};

at::Tensor RunSwiGlu(const at::Tensor& gate_up) {
  const int64_t width = gate_up.size(1) / 2;
  const at::Tensor out = at::empty({gate_up.size(0), width}, gate_up.options());
  WithKernelType(gate_up.scalar_type(), [&](auto kind) {
    using T = decltype(kind);
    ForEachRows(out.size(0), width, [&](int64_t first, int64_t last) {
      for (int64_t row = first; row < last; ++row) {
        const T* gate = ConstRow<T>(gate_up, row);
        RowKernelsFor<T>().swiglu(gate, gate + width, width, MutableRow<T>(out, row));
      }
    });
  });
  return out;
}

class SwiGluFunction : public torch::autograd::Function<SwiGluFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& gate_up) {
    context->save_for_backward({gate_up});
    return RunSwiGlu(gate_up);
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const at::Tensor gate_up = context->get_saved_variables()[0];
    const at::Tensor grad_out = grads[0].contiguous(), grad = at::empty_like(gate_up);
    const int64_t width = grad_out.size(1);
    WithKernelType(gate_up.scalar_type(), [&](auto kind) {
      using T = decltype(kind);
      ForEachRows(grad.size(0), width, [&](int64_t first, int64_t last) {
        for (int64_t row = first; row < last; ++row) {
          RowKernelsFor<T>().swiglu_backward(ConstRow<T>(gate_up, row), ConstRow<T>(grad_out, row),
                                             width, MutableRow<T>(grad, row));
        }
      });
    });
    return {grad};
  }
};

class GeluFunction : public torch::autograd::Function<GeluFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x) {
    context->save_for_backward({x});
    const at::Tensor out = at::empty_like(x);
    WithKernelType(x.scalar_type(), [&](auto kind) {
      using T = decltype(kind);
      ForEachRows(x.size(0), x.size(1), [&](int64_t first, int64_t last) {
        for (int64_t row = first; row < last; ++row) {
          RowKernelsFor<T>().gelu(ConstRow<T>(x, row), x.size(1), MutableRow<T>(out, row));
        }
      });
    });
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const at::Tensor x = context->get_saved_variables()[0];
    const at::Tensor grad_out = grads[0].contiguous(), grad = at::empty_like(x);
    WithKernelType(x.scalar_type(), [&](auto kind) {
      using T = decltype(kind);
      ForEachRows(x.size(0), x.size(1), [&](int64_t first, int64_t last) {
        for (int64_t row = first; row < last; ++row) {
          RowKernelsFor<T>().gelu_backward(ConstRow<T>(x, row), ConstRow<T>(grad_out, row),
                                           x.size(1), MutableRow<T>(grad, row));
        }
      });
    });
    return {grad};
  }
};

std::optional<at::Tensor> IfDefined(const at::Tensor& tensor) {
  return tensor.defined() ? std::optional<at::Tensor>(tensor) : std::nullopt;
}

}  // namespace

at::Tensor Linear(const at::Tensor& x_NI, const at::Tensor& weight_OI, const at::Tensor& bias_O) {
  if (!x_NI.is_cpu()) return at::linear(x_NI, weight_OI, bias_O);
  return LinearFunction::apply(x_NI.contiguous(), weight_OI, IfDefined(bias_O));
}

at::Tensor Linear(const at::Tensor& x_NI, const at::Tensor& weight_OI, const at::Tensor& bias_O,
                  const std::vector<Adapter>& adapters) {
  if (adapters.empty()) return Linear(x_NI, weight_OI, bias_O);
  TY_CHECK(!weight_OI.requires_grad());
  if (!x_NI.is_cpu()) return composite::AdaptedLinear(x_NI, weight_OI, bias_O, adapters);
  variable_list factors;
  for (const Adapter& adapter : adapters) {
    factors.insert(factors.end(), {adapter.a_RI, adapter.b_OR});
  }
  return AdaptedLinearFunction::apply(x_NI.contiguous(), at::TensorList(factors),
                                      Frozen{weight_OI, bias_O}, adapters);
}

at::Tensor Norm(const at::Tensor& x_ND, const at::Tensor& weight_D, const at::Tensor& bias_D,
                double epsilon) {
  if (x_ND.is_cpu()) {
    return NormFunction::apply(x_ND.contiguous(), weight_D, IfDefined(bias_D), epsilon);
  }
  if (bias_D.defined()) return composite::LayerNorm(x_ND, weight_D, bias_D, epsilon);
  return composite::RmsNorm(x_ND, weight_D, epsilon);
}

at::Tensor SwiGlu(const at::Tensor& gate_up_N2F) {
  if (!gate_up_N2F.is_cpu()) return composite::SwiGlu(gate_up_N2F);
  return SwiGluFunction::apply(gate_up_N2F.contiguous());
}

at::Tensor GeluTanh(const at::Tensor& x_NF) {
  if (!x_NF.is_cpu()) return composite::GeluTanh(x_NF);
  return GeluFunction::apply(x_NF.contiguous());
}

at::Tensor Attention(const at::Tensor& qkv, const AttentionLayout& layout) {
  return qkv.is_cpu() ? CpuAttention(qkv, layout) : composite::Attention(qkv, layout);
}

}  // namespace trainyard::model
