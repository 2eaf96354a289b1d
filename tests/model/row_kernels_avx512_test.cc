#include <gtest/gtest.h>

#include "tests/model/row_kernels_suite.h"

namespace trainyard::model {
namespace {

TEST(RowKernelsAvx512Test, ComputeTheFormulas) {
  const internal::RowKernelTables* tables = internal::Avx512RowKernels();
  if (tables == nullptr) GTEST_SKIP() << "this machine has no Avx512 instructions";
  CheckRowKernels(*tables);
}

}  // namespace
}  // namespace trainyard::model
