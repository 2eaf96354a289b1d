#include "tests/kernels/bf16_suite.h"

namespace trainyard::kernels {

INSTANTIATE_TEST_SUITE_P(Avx512, Bf16KernelsTest, testing::Values(&Avx512Bf16Kernels));

}  // namespace trainyard::kernels
