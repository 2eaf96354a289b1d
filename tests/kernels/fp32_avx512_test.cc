#include "tests/kernels/fp32_suite.h"

namespace trainyard::kernels {

INSTANTIATE_TEST_SUITE_P(Avx512, Fp32KernelsTest, testing::Values(&Avx512Fp32Kernels));

}  // namespace trainyard::kernels
