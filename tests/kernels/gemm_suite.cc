#include "tests/kernels/gemm_suite.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/kernels/fp32_suite.h"

namespace trainyard::kernels {
namespace {

std::vector<float> RunGemm(ProductKernels& kernels, const Product& p, const std::vector<float>& a,
                           const PackedMatrix& weight, const std::vector<float>& bias) {
  std::vector<float> out(static_cast<size_t>(p.rows) * p.columns, 0.5f);
  ThreadPool pool(1);
  Multiply(kernels, pool, {a.data(), p.inner, p.rows, out.data(), p.columns}, weight,
           {bias.data(), true});
  return out;
}

PackedMatrix Pack(const Product& p, WeightType type, const std::vector<float>& weight_NK) {
  PackedMatrix packed(p.inner, p.columns, type);
  packed.SetColumns(0, p.columns, weight_NK.data(), p.inner, 1);
  return packed;
}

double Rounded(WeightType type, float x) {
  if (type == WeightType::kF32) return x;
  uint16_t half;
  RoundToBf16(&x, 1, &half);
  return WidenBf16(half);
}

}  // namespace

void ExpectProducts(ProductKernels& kernels, WeightType weights,
                    const std::vector<Product>& products) {
  for (const Product& p : products) {
    const auto a = TestNumbers(1, p.rows * p.inner), w = TestNumbers(2, p.columns * p.inner);
    const auto bias = TestNumbers(3, p.columns);
    const auto out = RunGemm(kernels, p, a, Pack(p, weights, w), bias);
    for (int r = 0; r < p.rows; ++r) {
      for (int c = 0; c < p.columns; ++c) {
        double want = 0.5 + bias[c];
        for (int k = 0; k < p.inner; ++k) {
          want += Rounded(weights, a[r * p.inner + k]) * Rounded(weights, w[c * p.inner + k]);
        }
        ASSERT_NEAR(out[r * p.columns + c], want, 1e-4) << r << " " << c;
      }
    }
  }
}

void ExpectRowsDoNotDependOnTheOthers(ProductKernels& kernels, WeightType weights) {
  const Product p{97, 130, 75};
  const auto a = TestNumbers(1, p.rows * p.inner), w = TestNumbers(2, p.columns * p.inner);
  const auto bias = TestNumbers(3, p.columns);
  const PackedMatrix packed = Pack(p, weights, w);
  const auto all = RunGemm(kernels, p, a, packed, bias);
  for (int rows = 1; rows <= 40; ++rows) {
    for (int first : {0, 17, 57}) {
      const std::vector<float> part(a.begin() + first * p.inner,
                                    a.begin() + (first + rows) * p.inner);
      const auto out = RunGemm(kernels, {rows, p.inner, p.columns}, part, packed, bias);
      ASSERT_TRUE(std::equal(out.begin(), out.end(), all.begin() + first * p.columns)) << rows;
    }
  }
}

}  // namespace trainyard::kernels
