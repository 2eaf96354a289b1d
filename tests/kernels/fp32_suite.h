// What every instruction set's kernels must do, checked against plain loops in double.

#ifndef TRAINYARD_TESTS_KERNELS_FP32_SUITE_H_
#define TRAINYARD_TESTS_KERNELS_FP32_SUITE_H_

#include <gtest/gtest.h>

#include <vector>

#include "kernels/fp32.h"

namespace trainyard::kernels {

using TableSource = const Fp32Kernels* (*)();

// Skips where this CPU lacks the instruction set.
class Fp32KernelsTest : public testing::TestWithParam<TableSource> {
 protected:
  void SetUp() override {
    table_ = GetParam()();
    if (table_ == nullptr) GTEST_SKIP() << "this CPU lacks the instruction set";
  }
  const Fp32Kernels* table_ = nullptr;
};

// `count` numbers in [-1, 1) from a fixed stream.
std::vector<float> TestNumbers(uint64_t stream, int64_t count);

}  // namespace trainyard::kernels

#endif  // TRAINYARD_TESTS_KERNELS_FP32_SUITE_H_
