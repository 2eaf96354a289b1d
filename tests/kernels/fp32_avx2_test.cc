#include "tests/kernels/fp32_suite.h"

namespace trainyard::kernels {

INSTANTIATE_TEST_SUITE_P(Avx2, Fp32KernelsTest, testing::Values(&Avx2Fp32Kernels));

}  // namespace trainyard::kernels
