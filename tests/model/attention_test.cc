#include "model/attention.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "model/numerics.h"

namespace trainyard::model {
namespace {

AttentionLayout LayoutOf(const std::vector<int64_t>& offsets, int64_t rows) {
  AttentionLayout layout;
  layout.heads = 4;
  layout.kv_heads = 4;
  layout.head_width = 16;
  layout.segment_offsets = offsets;
  layout.positions_N = at::zeros({rows}, at::kLong);
  return layout;
}

// Gradients too: the shares of a checkpointed run may be packed differently when it is resumed.
TEST(AttentionTest, ASegmentHasTheSameBitsBesideOthersAndOnAnyNumberOfThreads) {
  at::manual_seed(2);
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    for (const int64_t window : {0, 20}) {
      AttentionLayout beside = LayoutOf({0, 13, 110, 200}, 208), by_itself = LayoutOf({0, 97}, 97);
      beside.window = by_itself.window = window;
      const at::Tensor rows = at::randn({208, 192}).to(type),
                       direction = at::randn({208, 64}).to(type);
      SetComputeThreads(2);
      const at::Tensor packed = rows.clone().requires_grad_(true);
      const at::Tensor out = CpuAttention(packed, beside);
      torch::autograd::backward({out}, {direction});
      SetComputeThreads(1);
      const at::Tensor alone = rows.narrow(0, 13, 97).clone().requires_grad_(true);
      const at::Tensor alone_out = CpuAttention(alone, by_itself);
      torch::autograd::backward({alone_out}, {direction.narrow(0, 13, 97)});
      EXPECT_TRUE(at::equal(out.narrow(0, 13, 97), alone_out)) << type << window;
      EXPECT_TRUE(at::equal(packed.grad().narrow(0, 13, 97), alone.grad())) << type << window;
    }
  }
}

// The last of 150 rows sees rows 121 to 149 alone, in the second and third block of keys.
TEST(AttentionTest, WhatLiesBeforeTheWindowDoesNotMatter) {
  at::manual_seed(3);
  SetComputeThreads(1);
  const at::Tensor rows = at::randn({150, 192}), others = at::randn({150, 192});
  AttentionLayout layout = LayoutOf({0, 150}, 150);
  layout.window = 29;
  const at::Tensor mixed = at::cat({others.narrow(0, 0, 121), rows.narrow(0, 121, 29)});
  const at::Tensor last = CpuAttention(rows, layout)[149];
  EXPECT_TRUE(at::equal(last, CpuAttention(mixed, layout)[149]));
  layout.window = 30;
  EXPECT_FALSE(at::equal(last, CpuAttention(mixed, layout)[149]));
}

TEST(AttentionTest, InertRowsGiveZeroAndGetNoGradient) {
  SetComputeThreads(1);
  const at::Tensor rows = at::randn({32, 192}).requires_grad_(true);
  const at::Tensor out = CpuAttention(rows, LayoutOf({0, 20}, 32));
  torch::autograd::backward({out}, {at::ones_like(out)});
  EXPECT_EQ(out.narrow(0, 20, 12).abs().sum().item<float>(), 0.0f);
  EXPECT_EQ(rows.grad().narrow(0, 20, 12).abs().sum().item<float>(), 0.0f);
}

}  // namespace
}  // namespace trainyard::model
