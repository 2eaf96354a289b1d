#include "tests/kernels/bf16_suite.h"

namespace trainyard::kernels {

INSTANTIATE_TEST_SUITE_P(Avx2, Bf16KernelsTest, testing::Values(&Avx2Bf16Kernels));

}  // namespace trainyard::kernels
