#include "kernels/packed_matrix.h"

#include <gtest/gtest.h>

#include "tests/kernels/fp32_suite.h"

namespace trainyard::kernels {
namespace {

TEST(PackedMatrix, BothLayoutsOfASourceGiveTheSamePanels) {
  const int inner = 5, columns = 40;
  const auto weight_NK = TestNumbers(1, inner * columns);
  std::vector<float> weight_KN(weight_NK.size());
  for (int n = 0; n < columns; ++n) {
    for (int k = 0; k < inner; ++k) weight_KN[k * columns + n] = weight_NK[n * inner + k];
  }
  PackedMatrix a(inner, columns), b(inner, columns);
  a.SetColumns(0, columns, weight_NK.data(), inner, 1);
  b.SetColumns(0, columns, weight_KN.data(), 1, columns);
  ASSERT_EQ(a.panels(), 2);
  for (int i = 0; i < 2 * inner * kPanelColumns; ++i) ASSERT_EQ(a.panel(0)[i], b.panel(0)[i]);
}

TEST(PackedMatrix, AColumnComesBackAsItWentIn) {
  const int inner = 19, columns = 70;
  const auto weight_NK = TestNumbers(1, inner * columns);
  PackedMatrix packed(inner, columns);
  packed.SetColumns(0, 33, weight_NK.data(), inner, 1);
  packed.SetColumns(33, 37, weight_NK.data() + 33 * inner, inner, 1);
  std::vector<float> column(inner);
  for (int c = 0; c < columns; ++c) {
    packed.CopyColumn(c, column.data());
    for (int k = 0; k < inner; ++k) ASSERT_EQ(column[k], weight_NK[c * inner + k]);
  }
}

TEST(PackedMatrix, InBf16BothLayoutsGiveTheSamePanelsAndColumnsComeBackRounded) {
  const int inner = 67, columns = 45;
  const auto weight_NK = TestNumbers(1, inner * columns);
  std::vector<float> weight_KN(weight_NK.size()), column(inner);
  for (int n = 0; n < columns; ++n) {
    for (int k = 0; k < inner; ++k) weight_KN[k * columns + n] = weight_NK[n * inner + k];
  }
  PackedMatrix a(inner, columns, WeightType::kBf16), b(inner, columns, WeightType::kBf16);
  a.SetColumns(0, 20, weight_NK.data(), inner, 1);
  a.SetColumns(20, 25, weight_NK.data() + 20 * inner, inner, 1);
  b.SetColumns(0, columns, weight_KN.data(), 1, columns);
  ASSERT_EQ(a.padded_inner(), 96);
  for (int i = 0; i < a.panels() * 96 * kPanelColumns; ++i) {
    ASSERT_EQ(a.bf16_panel(0)[i], b.bf16_panel(0)[i]) << i;
  }
  for (int c = 0; c < columns; ++c) {
    a.CopyColumn(c, column.data());
    for (int k = 0; k < inner; ++k) {
      uint16_t half;
      RoundToBf16(&weight_NK[c * inner + k], 1, &half);
      ASSERT_EQ(column[k], WidenBf16(half));
    }
  }
}

TEST(PackedMatrix, AProductHasTheSameBitsOnAnyNumberOfThreads) {
  const int rows = 200, inner = 64, columns = 500;
  const auto a = TestNumbers(2, rows * inner), w = TestNumbers(3, columns * inner);
  PackedMatrix packed(inner, columns);
  packed.SetColumns(0, columns, w.data(), inner, 1);
  std::vector<std::vector<float>> outs;
  for (int threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    outs.emplace_back(rows * columns);
    ProductKernels kernels{BestFp32Kernels(), BestBf16Kernels(), {}};
    Multiply(kernels, pool, {a.data(), inner, rows, outs.back().data(), columns}, packed,
             {});
  }
  EXPECT_EQ(outs[0], outs[1]);
  EXPECT_EQ(outs[0], outs[2]);
}

}  // namespace
}  // namespace trainyard::kernels
