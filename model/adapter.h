// A low-rank update of rows of a frozen matrix (LoRA, arXiv:2106.09685), as a plain struct.
//
// Shapes: R rank, I columns of the matrix, O its rows that are updated.

#ifndef TRAINYARD_MODEL_ADAPTER_H_
#define TRAINYARD_MODEL_ADAPTER_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace trainyard::model {

// Rows first_row, first_row + 1, ... of the matrix act as if scale * b_OR a_RI were added to them.
// The factors are fp32 (float64 in a float64 model), also where the matrix is bfloat16, which they
// are rounded to for its products.
struct Adapter {
  std::string module;  // as transformers names it inside of a block: "self_attn.q_proj"
  int64_t first_row = 0;
  double scale = 1.0;
  // The matrix holds the update already (model::HoldMerged): a product adds nothing, its gradients
  // are the same.
  bool merged = false;
  at::Tensor a_RI;
  at::Tensor b_OR;
};

}  // namespace trainyard::model

#endif  // TRAINYARD_MODEL_ADAPTER_H_
