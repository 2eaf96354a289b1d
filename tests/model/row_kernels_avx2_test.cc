#include <gtest/gtest.h>

#include "tests/model/row_kernels_suite.h"

namespace trainyard::model {
namespace {

TEST(RowKernelsAvx2Test, ComputeTheFormulas) {
  const internal::RowKernelTables* tables = internal::Avx2RowKernels();
  if (tables == nullptr) GTEST_SKIP() << "this machine has no Avx2 instructions";
  CheckRowKernels(*tables);
}

}  // namespace
}  // namespace trainyard::model
