#include "model/row_kernels.h"

namespace trainyard::model {
namespace {
#include "model/row_kernels_bodies.inc"
}  // namespace

namespace internal {
const RowKernelTables* Avx512RowKernels() {
  const bool here = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return here ? &kTables : nullptr;
}
}  // namespace internal
}  // namespace trainyard::model
