#include "kernels/fp32.h"

namespace trainyard::kernels {
namespace {
constexpr int kGemmLanes = 4, kTileRows = 4, kTileVectors = 2;
#include "kernels/fp32_bodies.inc"
constexpr Fp32Kernels kTable = MakeTable("plain");
}  // namespace

const Fp32Kernels* PlainFp32Kernels() { return &kTable; }

const Fp32Kernels& BestFp32Kernels() {
  if (const Fp32Kernels* table = Avx512Fp32Kernels()) return *table;
  if (const Fp32Kernels* table = Avx2Fp32Kernels()) return *table;
  return kTable;
}
}  // namespace trainyard::kernels
