#include "worker/objective_ppo.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "gtest/gtest.h"

namespace trainyard::worker {
namespace {

using Doubles = std::vector<double>;

at::Tensor Tensor(const Doubles& values) { return at::tensor(values, at::kDouble); }
at::Tensor Leaf(const Doubles& values) { return Tensor(values).requires_grad_(true); }

Doubles Gradient(const at::Tensor& loss, const at::Tensor& leaf) {
  const at::Tensor g =
      torch::autograd::grad({loss}, {leaf}, {}, {}, /*create_graph=*/false, /*allow_unused=*/true)
          .front()
          .contiguous();
  return {g.const_data_ptr<double>(), g.const_data_ptr<double>() + g.numel()};
}

// Ratios 1, e, 1/e, e^3 with advantages of both signs.
const Doubles kOld = {-1, -2, -1, -4, -1};
const Doubles kNow = {-1, -1, -2, -1, -1.1};
const Doubles kReference = {-1.5, -1, -1, -2, -1};
const Doubles kAdvantage = {1, 1, -1, -1, 0.5};

double TokenLoss(double now, double old, double a, const PpoLossOptions& options) {
  const double r = std::exp(std::clamp(now - old, -20.0, 20.0));
  const double c = std::clamp(r, 1 - options.clip_ratio, 1 + options.clip_ratio);
  double loss = std::max(-a * r, -a * c);
  if (options.dual_clip > 0 && a < 0) loss = std::min(loss, -a * options.dual_clip);
  return loss;
}

TEST(ObjectivePpoTest, PolicyLossIsTheClippedSurrogateWithDualClip) {
  PpoLossOptions options;
  const at::Tensor now = Leaf(kNow);
  const PolicyLoss loss =
      ComputePolicyLoss(now, at::zeros({5}, at::kDouble),
                        {Tensor(kOld), Tensor(kReference), Tensor(kAdvantage)}, options);
  double expected = 0;
  for (int i = 0; i < 5; ++i) expected += TokenLoss(kNow[i], kOld[i], kAdvantage[i], options);
  EXPECT_NEAR(loss.sums.loss, expected, 1e-12);
  const Doubles gradient = Gradient(loss.loss_sum, now);
  for (int i = 0; i < 5; ++i) {
    const double h = 1e-6;
    const double slope = (TokenLoss(kNow[i] + h, kOld[i], kAdvantage[i], options) -
                          TokenLoss(kNow[i] - h, kOld[i], kAdvantage[i], options)) / (2 * h);
    EXPECT_NEAR(gradient[i], slope, 1e-6) << i;
  }
  // By hand: the second is clipped, the fourth (e^3 > 3, A < 0) is bounded by the dual clip.
  EXPECT_NEAR(gradient[0], -1, 1e-12);
  EXPECT_EQ(gradient[1], 0);
  EXPECT_EQ(gradient[3], 0);
  EXPECT_EQ(loss.sums.clipped, 3);
  EXPECT_NEAR(loss.sums.ratio_max, std::exp(3.0), 1e-9);
}

TEST(ObjectivePpoTest, WithoutDualClipABadTokenIsPushedDownWithoutBound) {
  PpoLossOptions options;
  options.dual_clip = 0;
  const at::Tensor now = Leaf({-1});
  const PolicyLoss loss = ComputePolicyLoss(now, at::zeros({1}, at::kDouble),
                                            {Tensor({-4}), Tensor({-4}), Tensor({-1})}, options);
  EXPECT_NEAR(loss.sums.loss, std::exp(3.0), 1e-9);
  EXPECT_NEAR(Gradient(loss.loss_sum, now)[0], std::exp(3.0), 1e-9);
}

TEST(ObjectivePpoTest, LogRatiosAreClampedAtTwenty) {
  PpoLossOptions options;
  options.dual_clip = 0;
  const at::Tensor now = Leaf({-1});
  const PolicyLoss loss = ComputePolicyLoss(now, at::zeros({1}, at::kDouble),
                                            {Tensor({-900}), Tensor({-1}), Tensor({-1})}, options);
  EXPECT_NEAR(loss.sums.loss / std::exp(20.0), 1, 1e-12);
  EXPECT_EQ(Gradient(loss.loss_sum, now)[0], 0);
}

TEST(ObjectivePpoTest, KlAsALossHasTheGradientOfK2AndK3) {
  for (const KlLoss kind : {KlLoss::kK2, KlLoss::kK3}) {
    PpoLossOptions options;
    options.kl_loss = kind;
    options.kl_loss_weight = 0.5;
    const at::Tensor now = Leaf(kNow);
    const PolicyLoss loss = ComputePolicyLoss(
        now, at::zeros({5}, at::kDouble),
        {Tensor(kNow), Tensor(kReference), at::zeros({5}, at::kDouble)}, options);
    const Doubles gradient = Gradient(loss.loss_sum, now);
    for (int i = 0; i < 5; ++i) {
      const double k1 = kNow[i] - kReference[i];
      const double slope = kind == KlLoss::kK2 ? k1 : 1 - std::exp(-k1);
      EXPECT_NEAR(gradient[i], 0.5 * slope, 1e-12);
    }
  }
}

TEST(ObjectivePpoTest, EntropyIsPaid) {
  PpoLossOptions options;
  options.entropy_weight = 0.25;
  const at::Tensor entropy = Leaf({1, 2, 3});
  const at::Tensor now = Tensor({-1, -1, -1});
  const PolicyLoss loss =
      ComputePolicyLoss(now, entropy, {now, now, at::zeros({3}, at::kDouble)}, options);
  EXPECT_NEAR(loss.sums.loss, -1.5, 1e-12);
  EXPECT_NEAR(loss.sums.entropy, 6, 1e-12);
  for (double g : Gradient(loss.loss_sum, entropy)) EXPECT_NEAR(g, -0.25, 1e-12);
}

TEST(ObjectivePpoTest, ValueLossTakesTheLargerOfPlainAndClipped) {
  PpoLossOptions options;  // value_clip 0.2
  const Doubles value = {1.0, 2.0, 0.0, -1.0}, old = {1.0, 1.0, 1.0, -1.1},
                returns = {0.5, 3.0, 1.0, 1.0};
  const at::Tensor v = Leaf(value);
  const ValueLoss loss = ComputeValueLoss(v, Tensor(old), Tensor(returns), options);
  double expected = 0;
  Doubles slopes;
  for (int i = 0; i < 4; ++i) {
    const double clipped = std::clamp(value[i], old[i] - 0.2, old[i] + 0.2);
    const double plain_error = std::pow(value[i] - returns[i], 2);
    const double clipped_error = std::pow(clipped - returns[i], 2);
    expected += 0.5 * std::max(plain_error, clipped_error);
    slopes.push_back(plain_error >= clipped_error ? value[i] - returns[i] : 0);
  }
  EXPECT_NEAR(loss.loss, expected, 1e-12);
  EXPECT_EQ(loss.clipped, 1);  // the second: V moved towards R by more than the clip allows
  const Doubles gradient = Gradient(loss.loss_sum, v);
  for (int i : {1, 2}) EXPECT_NEAR(gradient[i], slopes[i], 1e-12) << i;
  options.value_clip = 0;
  EXPECT_NEAR(ComputeValueLoss(v, Tensor(old), Tensor(returns), options).loss,
              0.5 * (0.25 + 1 + 1 + 4), 1e-12);
}

}  // namespace
}  // namespace trainyard::worker
