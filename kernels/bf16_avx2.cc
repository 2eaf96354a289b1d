#include "kernels/bf16.h"
#include "kernels/fp32.h"

#if defined(__x86_64__)
namespace trainyard::kernels {
namespace {
#include "kernels/bf16_widened.inc"
constexpr Bf16Kernels kTable = {"avx2-bf16", Gemm};
}  // namespace

const Bf16Kernels* Avx2Bf16Kernels() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &kTable : nullptr;
}
}  // namespace trainyard::kernels
#else
namespace trainyard::kernels {
const Bf16Kernels* Avx2Bf16Kernels() { return nullptr; }
}  // namespace trainyard::kernels
#endif
