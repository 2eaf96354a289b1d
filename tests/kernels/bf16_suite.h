// The tests that every table of bf16 kernels must pass; bf16_*_test.cc name the tables.

#ifndef TRAINYARD_TESTS_KERNELS_BF16_SUITE_H_
#define TRAINYARD_TESTS_KERNELS_BF16_SUITE_H_

#include <gtest/gtest.h>

#include "kernels/bf16.h"

namespace trainyard::kernels {

using Bf16Finder = const Bf16Kernels* (*)();

// Skipped where this CPU lacks the instruction set.
class Bf16KernelsTest : public testing::TestWithParam<Bf16Finder> {
 protected:
  void SetUp() override {
    table_ = GetParam()();
    if (table_ == nullptr) GTEST_SKIP() << "this CPU lacks the instruction set";
  }
  const Bf16Kernels* table_ = nullptr;
};

}  // namespace trainyard::kernels

#endif  // TRAINYARD_TESTS_KERNELS_BF16_SUITE_H_
