#include "model/row_kernels.h"

namespace trainyard::model {
namespace {

const internal::RowKernelTables& Best() {
  static const internal::RowKernelTables* const best = [] {
    if (const auto* tables = internal::Avx512RowKernels()) return tables;
    if (const auto* tables = internal::Avx2RowKernels()) return tables;
    return internal::PlainRowKernels();
  }();
  return *best;
}

}  // namespace

template <>
const RowKernels<double>& RowKernelsFor<double>() {
  return Best().f64;
}
template <>
const RowKernels<float>& RowKernelsFor<float>() {
  return Best().f32;
}
template <>
const RowKernels<Bf16>& RowKernelsFor<Bf16>() {
  return Best().bf16;
}

}  // namespace trainyard::model
