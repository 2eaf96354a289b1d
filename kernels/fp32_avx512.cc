#include "kernels/fp32.h"

#if defined(__x86_64__)
namespace trainyard::kernels {
namespace {
// 12 x 2 accumulators, 2 weights, 1 broadcast: 27 of the 32 registers.
constexpr int kGemmLanes = 16, kTileRows = 12, kTileVectors = 2;
#include "kernels/fp32_bodies.inc"
constexpr Fp32Kernels kTable = MakeTable("avx512");
}  // namespace

const Fp32Kernels* Avx512Fp32Kernels() {
  const bool here = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                    __builtin_cpu_supports("fma");
  return here ? &kTable : nullptr;
}
}  // namespace trainyard::kernels
#else
namespace trainyard::kernels {
const Fp32Kernels* Avx512Fp32Kernels() { return nullptr; }
}  // namespace trainyard::kernels
#endif
