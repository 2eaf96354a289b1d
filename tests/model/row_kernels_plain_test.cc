#include <gtest/gtest.h>

#include "tests/model/row_kernels_suite.h"

namespace trainyard::model {
namespace {

TEST(RowKernelsPlainTest, ComputeTheFormulas) {
  const internal::RowKernelTables* tables = internal::PlainRowKernels();
  if (tables == nullptr) GTEST_SKIP() << "this machine has no Plain instructions";
  CheckRowKernels(*tables);
}

}  // namespace
}  // namespace trainyard::model
