#include "model/ops.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "model/gemm.h"
#include "model/numerics.h"

namespace trainyard::model {
namespace {

class OpsTest : public ::testing::TestWithParam<at::ScalarType> {
 protected:
  void SetUp() override {
    SetComputeThreads(1);
    at::manual_seed(9);
  }

  at::Tensor Leaf(at::IntArrayRef sizes) const {
    return at::randn(sizes, at::kDouble).to(GetParam()).requires_grad_(true);
  }

  // Our operation and the composite one give the same output and the same gradients of a random
  // sum.
  template <typename Ours, typename Theirs>
  void Compare(const std::vector<at::Tensor>& leaves, const Ours& ours, const Theirs& theirs) {
    std::vector<at::Tensor> wide;
    for (const at::Tensor& leaf : leaves) {
      wide.push_back(leaf.detach().to(at::kDouble).requires_grad_(true));
    }
    const at::Tensor out = ours(leaves), expected = theirs(wide);
    const at::Tensor direction = at::randn(out.sizes(), at::kDouble).to(GetParam());
    torch::autograd::backward({out}, {direction});
    torch::autograd::backward({expected}, {direction.to(at::kDouble)});
    ExpectNear(out.detach(), expected.detach());
    for (size_t i = 0; i < leaves.size(); ++i) ExpectNear(leaves[i].grad(), wide[i].grad());
  }

  void ExpectNear(const at::Tensor& ours, const at::Tensor& theirs) const {
    const double tolerance = GetParam() == at::kDouble  ? 1e-12
                             : GetParam() == at::kFloat ? 1e-5
                                                        : 2e-2;
    const double scale = std::max(1.0, theirs.abs().max().item<double>());
    EXPECT_LT((ours.to(at::kDouble) - theirs).abs().max().item<double>(), tolerance * scale);
  }
};

using Leaves = std::vector<at::Tensor>;

TEST_P(OpsTest, LinearWithAndWithoutBias) {
  Compare(
      {Leaf({32, 24}), Leaf({40, 24}), Leaf({40})},
      [](const Leaves& t) { return Linear(t[0], t[1], t[2]); },
      [](const Leaves& t) { return at::linear(t[0], t[1], t[2]); });
  Compare(
      {Leaf({32, 24}), Leaf({40, 24})},
      [](const Leaves& t) { return Linear(t[0], t[1], at::Tensor()); },
      [](const Leaves& t) { return at::linear(t[0], t[1]); });
}

// Two adapters with rows of theirs between rows that have none.
std::vector<Adapter> AdaptersOf(const Leaves& t) {
  return {{"first", 4, 0.5, false, t[0], t[1]}, {"second", 24, 2.0, false, t[2], t[3]}};
}

TEST_P(OpsTest, LinearWithAdaptersOnAFrozenMatrix) {
  const auto wide = WideType(GetParam());
  const auto factor = [&](at::IntArrayRef sizes) {
    return at::randn(sizes, at::kDouble).to(wide).requires_grad_(true);
  };
  for (const bool with_bias : {true, false}) {
    const at::Tensor weight = Leaf({40, 24}).detach();
    const at::Tensor bias = with_bias ? Leaf({40}).detach() : at::Tensor();
    const auto in_double = [](const at::Tensor& x) {
      return x.defined() ? x.to(at::kDouble) : x;
    };
    Compare(
        {factor({3, 24}), factor({16, 3}), factor({5, 24}), factor({12, 5}), Leaf({32, 24})},
        [&](const Leaves& t) { return Linear(t[4], weight, bias, AdaptersOf(t)); },
        [&](const Leaves& t) {
          return composite::AdaptedLinear(t[4], in_double(weight), in_double(bias), AdaptersOf(t));
        });
  }
}

TEST_P(OpsTest, MergedAdaptersAddGradientsOfTheFactorsAlone) {
  const auto wide = WideType(GetParam());
  const auto factor = [&](at::IntArrayRef sizes) {
    return at::randn(sizes, at::kDouble).to(wide).requires_grad_(true);
  };
  const at::Tensor weight = Leaf({40, 24}).detach();
  const auto merged = [](const Leaves& t) {
    std::vector<Adapter> adapters = AdaptersOf(t);
    for (Adapter& adapter : adapters) adapter.merged = true;
    return adapters;
  };
  Compare(
      {factor({3, 24}), factor({16, 3}), factor({5, 24}), factor({12, 5}), Leaf({32, 24})},
      [&](const Leaves& t) { return Linear(t[4], weight, at::Tensor(), merged(t)); },
      [&](const Leaves& t) {
        return composite::AdaptedLinear(t[4], weight.to(at::kDouble), at::Tensor(), merged(t));
      });
}

TEST_P(OpsTest, AFrozenMatrixAndBiasGetNoGradient) {
  const at::Tensor x = Leaf({32, 24});
  const at::Tensor weight = Leaf({40, 24}).detach(), bias = Leaf({40}).detach();
  torch::autograd::backward({Linear(x, weight, bias).sum()}, {});
  EXPECT_TRUE(x.grad().defined());
  EXPECT_FALSE(weight.grad().defined() || bias.grad().defined());
}

TEST_P(OpsTest, NormsWithAndWithoutBias) {
  Compare(
      {Leaf({160, 48}), Leaf({48}), Leaf({48})},
      [](const Leaves& t) { return Norm(t[0], t[1], t[2], 1e-5); },
      [](const Leaves& t) { return composite::LayerNorm(t[0], t[1], t[2], 1e-5); });
  Compare(
      {Leaf({160, 48}), Leaf({48})},
      [](const Leaves& t) { return Norm(t[0], t[1], at::Tensor(), 1e-5); },
      [](const Leaves& t) { return composite::RmsNorm(t[0], t[1], 1e-5); });
}

TEST_P(OpsTest, Activations) {
  Compare(
      {Leaf({32, 48})}, [](const Leaves& t) { return SwiGlu(t[0]); },
      [](const Leaves& t) { return composite::SwiGlu(t[0]); });
  Compare(
      {Leaf({32, 48})}, [](const Leaves& t) { return GeluTanh(t[0]); },
      [](const Leaves& t) { return composite::GeluTanh(t[0]); });
}

TEST_P(OpsTest, AttentionOverSegments) {
  AttentionLayout layout;
  layout.heads = 4;
  layout.kv_heads = 2;
  layout.head_width = 8;
  layout.segment_offsets = {0, 70, 71, 90};
  layout.positions_N =
      at::cat({at::arange(70), at::arange(1), at::arange(19), at::zeros({6}, at::kLong)});
  Compare(
      {Leaf({96, 64})}, [&](const Leaves& t) { return Attention(t[0], layout); },
      [&](const Leaves& t) { return composite::Attention(t[0], layout); });
  const RopeTables tables = MakeRopeTables(70, 8, {}, at::kCPU);
  layout.cos_PE = tables.cos_PE;
  layout.sin_PE = tables.sin_PE;
  Compare(
      {Leaf({96, 64})}, [&](const Leaves& t) { return Attention(t[0], layout); },
      [&](const Leaves& t) { return composite::Attention(t[0], layout); });
  for (const int64_t window : {1, 3, 64, 65, 69, 70, 200}) {
    SCOPED_TRACE(window);
    layout.window = window;
    Compare(
        {Leaf({96, 64})}, [&](const Leaves& t) { return Attention(t[0], layout); },
        [&](const Leaves& t) { return composite::Attention(t[0], layout); });
  }
}

INSTANTIATE_TEST_SUITE_P(Types, OpsTest, ::testing::Values(at::kDouble, at::kFloat, at::kBFloat16));

}  // namespace
}  // namespace trainyard::model
