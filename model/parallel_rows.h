// Runs kernels over the rows of CPU tensors on torch's threads.
//
// Same thread and exception rules as model/transformer.h.

#ifndef TRAINYARD_MODEL_PARALLEL_ROWS_H_
#define TRAINYARD_MODEL_PARALLEL_ROWS_H_

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdint>

#include "model/row_kernels.h"

namespace trainyard::model {

// Numbers of a row below which a second thread does not pay.
inline constexpr int64_t kNumbersPerThread = 1 << 14;

// body(first, last) on pieces of 0..rows, each row of `width` numbers.
template <typename Body>
void ForEachRows(int64_t rows, int64_t width, const Body& body) {
  const int64_t grain = std::max<int64_t>(kNumbersPerThread / std::max<int64_t>(width, 1), 1);
  at::parallel_for(0, rows, grain, [&](int64_t first, int64_t last) { body(first, last); });
}

// Calls body(T{}) with the kernels' type of a tensor of double, float or bfloat16.
template <typename Body>
auto WithKernelType(at::ScalarType type, const Body& body) {
  switch (type) {
    case at::kDouble:
      return body(double{});
    case at::kFloat:
      return body(float{});
    default:
      TORCH_CHECK(type == at::kBFloat16, "no kernels for ", type);
      return body(Bf16{});
  }
}

template <typename T>
const T* ConstRow(const at::Tensor& tensor, int64_t row) {
  return static_cast<const T*>(tensor.const_data_ptr()) + row * tensor.stride(0);
}

template <typename T>
T* MutableRow(const at::Tensor& tensor, int64_t row) {
  return static_cast<T*>(tensor.mutable_data_ptr()) + row * tensor.stride(0);
}

// out = x (+ addend on every row): from the wide type to out's.
void NarrowRows(const at::Tensor& x, const at::Tensor& addend, const at::Tensor& out);

}  // namespace trainyard::model

#endif  // TRAINYARD_MODEL_PARALLEL_ROWS_H_
