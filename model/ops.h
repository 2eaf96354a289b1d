// The layers' operations as the model runs them: kernels of ours with hand-written gradients on the
// CPU, model/composite.h elsewhere. A row's result does not depend on other rows (attention: on
// other segments).
//
// Shapes: N packed rows (a multiple of kRowMultiple), I in, O out, D width, F feed-forward width.
// Same thread and exception rules as model/transformer.h.

#ifndef TRAINYARD_MODEL_OPS_H_
#define TRAINYARD_MODEL_OPS_H_

#include <ATen/core/Tensor.h>

#include <vector>

#include "model/adapter.h"
#include "model/composite.h"

namespace trainyard::model {

// x_NI weight_OI^T + bias_O (undefined: none).
at::Tensor Linear(const at::Tensor& x_NI, const at::Tensor& weight_OI, const at::Tensor& bias_O);

// The same with adapters, which are trained while the matrix and the bias are not.
at::Tensor Linear(const at::Tensor& x_NI, const at::Tensor& weight_OI, const at::Tensor& bias_O,
                  const std::vector<Adapter>& adapters);

// RMSNorm (arXiv:1910.07467) without a bias, LayerNorm with one.
at::Tensor Norm(const at::Tensor& x_ND, const at::Tensor& weight_D, const at::Tensor& bias_D,
                double epsilon);

at::Tensor SwiGlu(const at::Tensor& gate_up_N2F);
at::Tensor GeluTanh(const at::Tensor& x_NF);
at::Tensor Attention(const at::Tensor& qkv, const AttentionLayout& layout);

}  // namespace trainyard::model

#endif  // TRAINYARD_MODEL_OPS_H_
