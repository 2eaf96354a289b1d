#include "worker/optimizer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

namespace trainyard::worker {
namespace {

NamedTensors Parameters(at::ScalarType type) {
  const at::Tensor matrix = at::sin(at::arange(12, at::kDouble)).view({3, 4}).to(type);
  const at::Tensor vector = at::cos(at::arange(5, at::kDouble)).to(type);
  return {{"layer.weight", matrix}, {"layer.bias", vector}};
}

std::vector<at::Tensor> Gradients(int step, at::ScalarType type) {
  return {(at::sin(at::arange(12, at::kDouble) * (step + 1.3)).view({3, 4}) * 0.3).to(type),
          (at::cos(at::arange(5, at::kDouble) * (step + 0.7)) * 2).to(type)};
}

// AdamW as its paper writes it, in float64, element by element.
struct Oracle {
  double value, m = 0, v = 0;
  void Step(double gradient, int t, double lr, double decay) {
    m = 0.9 * m + 0.1 * gradient;
    v = 0.95 * v + 0.05 * gradient * gradient;
    const double m_hat = m / (1 - std::pow(0.9, t));
    const double v_hat = v / (1 - std::pow(0.95, t));
    value -= lr * decay * value;
    value -= lr * m_hat / (std::sqrt(v_hat) + 1e-8);
  }
};

void ExpectFollowsOracle(at::ScalarType type, double tolerance) {
  const NamedTensors parameters = Parameters(type);
  std::vector<std::vector<Oracle>> oracles(2);
  for (int p = 0; p < 2; ++p) {
    const at::Tensor flat = parameters[p].tensor.to(at::kDouble).flatten();
    for (int64_t i = 0; i < flat.numel(); ++i) oracles[p].push_back({flat[i].item<double>()});
  }
  auto optimizer = *AdamW::Create(parameters, {});
  for (int t = 1; t <= 20; ++t) {
    const double lr = 1e-2 / t;
    const auto gradients = Gradients(t, type);
    optimizer->Step(gradients, lr);
    for (int p = 0; p < 2; ++p) {
      const at::Tensor flat = gradients[p].to(at::kDouble).flatten();
      for (size_t i = 0; i < oracles[p].size(); ++i) {
        oracles[p][i].Step(flat[static_cast<int64_t>(i)].item<double>(), t, lr, p == 0 ? 0.1 : 0);
      }
    }
  }
  for (int p = 0; p < 2; ++p) {
    const at::Tensor flat = parameters[p].tensor.to(at::kDouble).flatten();
    for (size_t i = 0; i < oracles[p].size(); ++i) {
      EXPECT_NEAR(flat[static_cast<int64_t>(i)].item<double>(), oracles[p][i].value, tolerance);
    }
  }
  EXPECT_EQ(optimizer->step_count(), 20);
}

TEST(AdamW, FollowsTheFloat64Oracle) { ExpectFollowsOracle(at::kDouble, 1e-12); }
TEST(AdamW, InFp32StaysCloseToTheOracle) { ExpectFollowsOracle(at::kFloat, 1e-6); }

TEST(AdamW, Bf16ParametersAreRoundedMastersAndLoseNothing) {
  const NamedTensors rounded = Parameters(at::kBFloat16);
  auto optimizer = *AdamW::Create(rounded, {});
  const NamedTensors full = {{"layer.weight", rounded[0].tensor.to(at::kFloat)},
                             {"layer.bias", rounded[1].tensor.to(at::kFloat)}};
  auto reference = *AdamW::Create(full, {});
  // Steps far below what bf16 resolves.
  for (int t = 1; t <= 30; ++t) {
    optimizer->Step(Gradients(1, at::kFloat), 1e-5);
    reference->Step(Gradients(1, at::kFloat), 1e-5);
  }
  for (int p = 0; p < 2; ++p) {
    EXPECT_TRUE(at::equal(optimizer->masters()[p], full[p].tensor));
    EXPECT_TRUE(at::equal(rounded[p].tensor, full[p].tensor.to(at::kBFloat16)));
  }
}

TEST(AdamW, GroupsOverrideByNameAndTheFirstMatchWins) {
  const NamedTensors parameters = Parameters(at::kDouble);
  const at::Tensor before = parameters[1].tensor.clone();
  AdamWOptions options;
  options.groups = {{"layer\\.bias", 0.0, std::nullopt}, {".*", std::nullopt, 0.0}};
  auto optimizer = *AdamW::Create(parameters, options);
  const at::Tensor weight = parameters[0].tensor.clone();
  optimizer->Step({at::zeros({3, 4}, at::kDouble), at::ones({5}, at::kDouble)}, 0.1);
  EXPECT_TRUE(at::equal(parameters[1].tensor, before)) << "a scale of 0 freezes";
  EXPECT_TRUE(at::equal(parameters[0].tensor, weight)) << "no decay and no gradient";
}

TEST(AdamW, RefusesWhatCannotBeMeant) {
  const NamedTensors parameters = Parameters(at::kFloat);
  AdamWOptions options;
  options.groups = {{"layer[", std::nullopt, std::nullopt}};
  EXPECT_TRUE(absl::IsInvalidArgument(AdamW::Create(parameters, options).status()));
  options.groups = {{"head.*", std::nullopt, std::nullopt}};
  const absl::Status unmatched = AdamW::Create(parameters, options).status();
  EXPECT_NE(unmatched.message().find("head.*"), std::string::npos) << unmatched;
  options.groups.clear();
  options.beta2 = 1;
  EXPECT_TRUE(absl::IsInvalidArgument(AdamW::Create(parameters, options).status()));
}

TEST(AdamW, ARestoredOptimizerGoesOnBitForBit) {
  const NamedTensors one = Parameters(at::kBFloat16);
  auto whole = *AdamW::Create(one, {});
  for (int t = 1; t <= 5; ++t) whole->Step(Gradients(t, at::kFloat), 1e-2);
  const NamedTensors two = Parameters(at::kBFloat16);
  auto restored = *AdamW::Create(two, {});
  const NamedTensors from = whole->State();
  const NamedTensors to = restored->State();
  for (size_t i = 0; i < from.size(); ++i) {
    EXPECT_EQ(from[i].name, to[i].name);
    to[i].tensor.copy_(from[i].tensor);
  }
  restored->MastersChanged();
  restored->set_step_count(whole->step_count());
  whole->Step(Gradients(6, at::kFloat), 1e-2);
  restored->Step(Gradients(6, at::kFloat), 1e-2);
  for (int p = 0; p < 2; ++p) {
    EXPECT_TRUE(at::equal(one[p].tensor, two[p].tensor));
    EXPECT_TRUE(at::equal(whole->masters()[p], restored->masters()[p]));
  }
}

}  // namespace
}  // namespace trainyard::worker
