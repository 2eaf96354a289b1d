#include "kernels/bf16.h"
#include "kernels/fp32.h"

namespace trainyard::kernels {
namespace {
#include "kernels/bf16_widened.inc"
constexpr Bf16Kernels kTable = {"plain-bf16", Gemm};
}  // namespace

const Bf16Kernels* PlainBf16Kernels() { return &kTable; }

}  // namespace trainyard::kernels
