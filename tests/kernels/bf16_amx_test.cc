#include "tests/kernels/bf16_suite.h"

namespace trainyard::kernels {

INSTANTIATE_TEST_SUITE_P(Amx, Bf16KernelsTest, testing::Values(&AmxBf16Kernels));

}  // namespace trainyard::kernels
