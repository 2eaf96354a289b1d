#include "model/row_kernels.h"

namespace trainyard::model {
namespace {
#include "model/row_kernels_bodies.inc"
}  // namespace

namespace internal {
const RowKernelTables* Avx2RowKernels() {
  const bool here = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return here ? &kTables : nullptr;
}
}  // namespace internal
}  // namespace trainyard::model
