#include "tests/kernels/bf16_suite.h"

namespace trainyard::kernels {

INSTANTIATE_TEST_SUITE_P(Plain, Bf16KernelsTest, testing::Values(&PlainBf16Kernels));

}  // namespace trainyard::kernels
