#include "tests/kernels/bf16_suite.h"

#include <cmath>
#include <vector>

#include "kernels/packed_matrix.h"
#include "tests/kernels/fp32_suite.h"

namespace trainyard::kernels {
namespace {

struct Product {
  int rows, inner, columns;
};

std::vector<float> RunGemm(const Bf16Kernels& table, const Product& p, const std::vector<float>& a,
                           const PackedMatrix& weight, const std::vector<float>& bias) {
  std::vector<float> out(static_cast<size_t>(p.rows) * p.columns, 0.5f);
  ThreadPool pool(1);
  ProductKernels kernels{BestFp32Kernels(), table, {}};
  Multiply(kernels, pool, {a.data(), p.inner, p.rows, out.data(), p.columns}, weight,
           {bias.data(), true});
  return out;
}

PackedMatrix Pack(const Product& p, const std::vector<float>& weight_NK) {
  PackedMatrix packed(p.inner, p.columns, WeightType::kBf16);
  packed.SetColumns(0, p.columns, weight_NK.data(), p.inner, 1);
  return packed;
}

double Rounded(float x) {
  uint16_t half;
  RoundToBf16(&x, 1, &half);
  return WidenBf16(half);
}

TEST_P(Bf16KernelsTest, GemmIsTheProductOfTheRoundedNumbers) {
  for (const Product p : {Product{1, 7, 5}, {13, 64, 96}, {29, 33, 131}, {100, 32, 32}}) {
    const auto a = TestNumbers(1, p.rows * p.inner), w = TestNumbers(2, p.columns * p.inner);
    const auto bias = TestNumbers(3, p.columns);
    const auto out = RunGemm(*table_, p, a, Pack(p, w), bias);
    for (int r = 0; r < p.rows; ++r) {
      for (int c = 0; c < p.columns; ++c) {
        double want = 0.5 + bias[c];
        for (int k = 0; k < p.inner; ++k) {
          want += Rounded(a[r * p.inner + k]) * Rounded(w[c * p.inner + k]);
        }
        ASSERT_NEAR(out[r * p.columns + c], want, 1e-4) << r << " " << c;
      }
    }
  }
}

TEST_P(Bf16KernelsTest, ARowOfGemmDoesNotDependOnTheOthers) {
  const Product p{97, 130, 75};
  const auto a = TestNumbers(1, p.rows * p.inner), w = TestNumbers(2, p.columns * p.inner);
  const auto bias = TestNumbers(3, p.columns);
  const PackedMatrix packed = Pack(p, w);
  const auto all = RunGemm(*table_, p, a, packed, bias);
  for (int rows = 1; rows <= 40; ++rows) {
    for (int first : {0, 17, 57}) {
      const std::vector<float> part(a.begin() + first * p.inner,
                                    a.begin() + (first + rows) * p.inner);
      const auto out = RunGemm(*table_, {rows, p.inner, p.columns}, part, packed, bias);
      ASSERT_TRUE(std::equal(out.begin(), out.end(), all.begin() + first * p.columns)) << rows;
    }
  }
}

}  // namespace
}  // namespace trainyard::kernels
