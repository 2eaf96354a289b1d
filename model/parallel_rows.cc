#include "model/parallel_rows.h"

namespace trainyard::model {

void NarrowRows(const at::Tensor& x, const at::Tensor& addend, const at::Tensor& out) {
  const int64_t width = out.size(1);
  WithKernelType(out.scalar_type(), [&](auto kind) {
    using T = decltype(kind);
    const auto& kernels = RowKernelsFor<T>();
    const T* added = addend.defined() ? ConstRow<T>(addend, 0) : nullptr;
    ForEachRows(out.size(0), width, [&](int64_t first, int64_t last) {
      for (int64_t row = first; row < last; ++row) {
        kernels.narrow(ConstRow<typename WideOf<T>::type>(x, row), added, width,
                       MutableRow<T>(out, row));
      }
    });
  });
}

}  // namespace trainyard::model
