#include "model/gemm.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "model/numerics.h"

namespace trainyard::model {
namespace {

class GemmTest : public ::testing::Test {
 protected:
  void SetUp() override {
    SetComputeThreads(1);
    at::manual_seed(5);
  }
};

TEST_F(GemmTest, AllProductsAgreeWithFloat64) {
  for (const auto type : {at::kDouble, at::kFloat, at::kBFloat16}) {
    const at::Tensor a = at::randn({48, 40}).to(type), b = at::randn({56, 40}).to(type);
    const at::Tensor c = at::randn({40, 56}).to(type), d = at::randn({48, 56}).to(type);
    const auto wide = a.options().dtype(WideType(type));
    const auto check = [&](Product product, const at::Tensor& x, const at::Tensor& y,
                           const at::Tensor& expected) {
      const at::Tensor out = at::ones(expected.sizes(), wide);
      Multiply(product, x, y, out, /*accumulate=*/true);
      EXPECT_LT((out.to(at::kDouble) - 1 - expected).abs().max().item<double>(),
                type == at::kDouble ? 1e-12 : 1e-4);
      const at::Tensor typed = at::empty(expected.sizes(), a.options());
      Multiply(product, x, y, typed);
      EXPECT_LT((typed.to(at::kDouble) - expected).abs().max().item<double>(),
                type == at::kBFloat16 ? 0.2 : 1e-4);
    };
    const auto f64 = [](const at::Tensor& x) { return x.to(at::kDouble); };
    check(Product::kABt, a, b, f64(a).mm(f64(b).t()));
    check(Product::kAB, a, c, f64(a).mm(f64(c)));
    check(Product::kAtB, a, d, f64(a).t().mm(f64(d)));
  }
}

// What the packed forward and the scores of PPO stand on.
TEST_F(GemmTest, ARowDoesNotDependOnHowManyRowsThereAre) {
  const std::pair<int64_t, int64_t> shapes[] = {{128, 384},  {344, 128}, {128, 688},
                                                {128, 1024}, {256, 768}, {768, 256}};
  for (const int threads : {1, 2}) {
    SetComputeThreads(threads);
    for (const auto type : {at::kFloat, at::kBFloat16}) {
      for (const auto& [inner, columns] : shapes) {
        const at::Tensor a = at::randn({512, inner}).to(type);
        const at::Tensor b = at::randn({columns, inner}).to(type);
        const at::Tensor all = at::empty({512, columns});
        Multiply(Product::kABt, a, b, all);
        for (const int64_t rows : {16, 32, 48, 80, 144, 256, 496}) {
          const at::Tensor some = at::empty({rows, columns});
          Multiply(Product::kABt, a.narrow(0, 16, rows), b, some);
          EXPECT_TRUE(at::equal(some, all.narrow(0, 16, rows)))
              << type << " " << rows << "x" << inner << "x" << columns << " " << threads << "t";
        }
      }
    }
  }
}

// The way of machines without bfloat16 instructions, taken here whatever this machine has.
TEST_F(GemmTest, WidenedProductsAgreeWithFloat64) {
  const at::Tensor a = at::randn({20, 30}).to(at::kBFloat16);
  const at::Tensor b = at::randn({30, 40}).to(at::kBFloat16).narrow(1, 4, 24);
  const at::Tensor out = at::ones({20, 24});
  RawProduct shape;
  shape.product = Product::kAB;
  shape.rows = 20;
  shape.columns = 24;
  shape.inner = 30;
  shape.a_stride = 30;
  shape.b_stride = 40;
  shape.out_stride = 24;
  shape.scale = 0.5;
  shape.accumulate = true;
  MultiplyWidened(shape, a.const_data_ptr<at::BFloat16>(), b.const_data_ptr<at::BFloat16>(),
                  out.mutable_data_ptr<float>());
  const at::Tensor expected = a.to(at::kDouble).mm(b.to(at::kDouble)) * 0.5 + 1.0;
  EXPECT_LT((out.to(at::kDouble) - expected).abs().max().item<double>(), 1e-4);
}

TEST_F(GemmTest, RowsArePaddedToTheMultiple) {
  EXPECT_EQ(PaddedRows(1), 16);
  EXPECT_EQ(PaddedRows(16), 16);
  EXPECT_EQ(PaddedRows(17), 32);
}

TEST_F(GemmTest, ATransposedViewIsRefusedRatherThanMisread) {
  const at::Tensor a = at::randn({8, 8});
  EXPECT_DEATH(Multiply(Product::kAB, a.t(), a, at::empty({8, 8})), "stride");
}

}  // namespace
}  // namespace trainyard::model
