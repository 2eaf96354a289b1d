#include "model/loss.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "model/numerics.h"

namespace trainyard::model {
namespace {

class LinearCrossEntropyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    SetComputeThreads(1);
    at::manual_seed(4);
    targets_.targets_N = at::arange(48).remainder(40);
    targets_.weights_N = at::ones({48});
  }
  CrossEntropyTargets targets_;
};

TEST_F(LinearCrossEntropyTest, EqualsThePlainFormulaInFloat64) {
  const at::Tensor hidden = at::randn({48, 16}, at::kDouble).requires_grad_(true);
  const at::Tensor weight = at::randn({40, 16}, at::kDouble).requires_grad_(true);
  targets_.weights_N = at::rand({48});
  const at::Tensor loss = LinearCrossEntropy(hidden, weight, targets_);
  torch::autograd::backward({loss * 3.0}, {});
  const at::Tensor a = hidden.detach().requires_grad_(true);
  const at::Tensor b = weight.detach().requires_grad_(true);
  const at::Tensor chosen =
      a.mm(b.t()).log_softmax(1).gather(1, targets_.targets_N.unsqueeze(1)).squeeze(1);
  const at::Tensor expected = -(chosen * targets_.weights_N.to(at::kDouble)).sum();
  torch::autograd::backward({expected * 3.0}, {});
  EXPECT_NEAR(loss.item<double>(), expected.item<double>(), 1e-9);
  EXPECT_TRUE(at::allclose(hidden.grad(), a.grad(), 1e-9, 1e-9));
  EXPECT_TRUE(at::allclose(weight.grad(), b.grad(), 1e-9, 1e-9));
}

TEST_F(LinearCrossEntropyTest, AFrozenMatrixGetsNoGradientAndTheStatesTheSame) {
  const at::Tensor weight = at::randn({40, 16});
  const at::Tensor frozen = at::randn({48, 16}).requires_grad_(true);
  const at::Tensor trained = frozen.detach().clone().requires_grad_(true);
  torch::autograd::backward({LinearCrossEntropy(frozen, weight, targets_)}, {});
  EXPECT_FALSE(weight.grad().defined());
  weight.requires_grad_(true);
  torch::autograd::backward({LinearCrossEntropy(trained, weight, targets_)}, {});
  EXPECT_TRUE(at::equal(frozen.grad(), trained.grad()));
  EXPECT_GT(weight.grad().abs().sum().item<float>(), 0.0f);
}

TEST_F(LinearCrossEntropyTest, UntrainedRowsTouchNothing) {
  const at::Tensor hidden = at::randn({48, 16}).requires_grad_(true);
  const at::Tensor weight = at::randn({40, 16}).requires_grad_(true);
  targets_.weights_N.narrow(0, 10, 38).zero_();
  targets_.targets_N.narrow(0, 10, 38).fill_(-100);
  torch::autograd::backward({LinearCrossEntropy(hidden, weight, targets_)}, {});
  EXPECT_GT(hidden.grad().narrow(0, 0, 10).abs().sum().item<float>(), 0.0f);
  EXPECT_EQ(hidden.grad().narrow(0, 10, 38).abs().sum().item<float>(), 0.0f);
}

TEST_F(LinearCrossEntropyTest, NoTrainedRowIsAZeroThatStillHasAGradient) {
  const at::Tensor hidden = at::randn({48, 16}).requires_grad_(true);
  targets_.weights_N.zero_();
  const at::Tensor loss = LinearCrossEntropy(hidden, at::randn({40, 16}), targets_);
  EXPECT_EQ(loss.item<float>(), 0.0f);
  torch::autograd::backward({loss}, {});
  EXPECT_EQ(hidden.grad().abs().sum().item<float>(), 0.0f);
}

TEST_F(LinearCrossEntropyTest, ValidationGivesTheBitsOfTraining) {
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    const at::Tensor hidden = at::randn({48, 16}).to(type).requires_grad_(true);
    const at::Tensor weight = at::randn({40, 16}).to(type).requires_grad_(true);
    const at::Tensor trained = LinearCrossEntropy(hidden, weight, targets_);
    EXPECT_EQ(trained.scalar_type(), at::kFloat);
    const at::NoGradGuard no_grad;
    EXPECT_TRUE(at::equal(trained, LinearCrossEntropy(hidden, weight, targets_)));
  }
}

}  // namespace
}  // namespace trainyard::model
