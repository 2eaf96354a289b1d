#include "tests/kernels/bf16_suite.h"

#include "tests/kernels/gemm_suite.h"

namespace trainyard::kernels {
namespace {

TEST_P(Bf16KernelsTest, GemmIsTheProductOfTheRoundedNumbers) {
  ProductKernels kernels{BestFp32Kernels(), *table_, {}};
  ExpectProducts(kernels, WeightType::kBf16,
                 {{1, 7, 5}, {13, 64, 96}, {29, 33, 131}, {100, 32, 32}});
}

TEST_P(Bf16KernelsTest, ARowOfGemmDoesNotDependOnTheOthers) {
  ProductKernels kernels{BestFp32Kernels(), *table_, {}};
  ExpectRowsDoNotDependOnTheOthers(kernels, WeightType::kBf16);
}

}  // namespace
}  // namespace trainyard::kernels
