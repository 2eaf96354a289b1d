#include "kernels/fp32.h"

#if defined(__x86_64__)
namespace trainyard::kernels {
namespace {
// 6 x 2 accumulators, 2 weights, 1 broadcast: 15 of the 16 registers.
constexpr int kGemmLanes = 8, kTileRows = 6, kTileVectors = 2;
#include "kernels/fp32_bodies.inc"
constexpr Fp32Kernels kTable = MakeTable("avx2");
}  // namespace

const Fp32Kernels* Avx2Fp32Kernels() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &kTable : nullptr;
}
}  // namespace trainyard::kernels
#else
namespace trainyard::kernels {
const Fp32Kernels* Avx2Fp32Kernels() { return nullptr; }
}  // namespace trainyard::kernels
#endif
