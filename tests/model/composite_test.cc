#include "model/composite.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "model/numerics.h"

namespace trainyard::model {
namespace {

TEST(CompositeTest, RopeTablesHoldTheAnglesOfEachPosition) {
  const RopeTables tables = MakeRopeTables(5, 4, {100.0, {}}, at::kCPU);
  EXPECT_NEAR(tables.cos_PE[3][1].item<double>(), std::cos(3 * 0.1), 1e-6);
  EXPECT_NEAR(tables.sin_PE[4][0].item<double>(), std::sin(4.0), 1e-6);
}

TEST(CompositeTest, NormsByHand) {
  SetComputeThreads(1);
  const at::Tensor x = at::tensor({3.0, -4.0}, at::kDouble).unsqueeze(0);
  const at::Tensor weight = at::tensor({1.0, 2.0}, at::kDouble);
  const at::Tensor rms = composite::RmsNorm(x, weight, 0.0);
  EXPECT_NEAR(rms[0][1].item<double>(), -8.0 / std::sqrt(12.5), 1e-12);
  const at::Tensor bias = at::tensor({0.5, 0.5}, at::kDouble);
  const at::Tensor layer = composite::LayerNorm(x, weight, bias, 0.0);
  EXPECT_NEAR(layer[0][0].item<double>(), 1.5, 1e-12);
  EXPECT_NEAR(layer[0][1].item<double>(), -1.5, 1e-12);
}

TEST(CompositeTest, RotationKeepsLengthsAndDependsOnDistanceAlone) {
  SetComputeThreads(1);
  at::manual_seed(1);
  const RopeTables tables = MakeRopeTables(40, 8, {}, at::kCPU);
  const at::Tensor rows = at::randn({6, 24}, at::kDouble);
  AttentionLayout layout{1, 1, 8, {0, 6}, at::arange(6), tables.cos_PE, tables.sin_PE};
  const at::Tensor near = composite::Attention(rows, layout);
  layout.positions_N = at::arange(30, 36);
  EXPECT_TRUE(at::allclose(near, composite::Attention(rows, layout), 1e-4, 1e-5));
}

}  // namespace
}  // namespace trainyard::model
