#include "tests/kernels/fp32_suite.h"

namespace trainyard::kernels {

INSTANTIATE_TEST_SUITE_P(Plain, Fp32KernelsTest, testing::Values(&PlainFp32Kernels));

}  // namespace trainyard::kernels
