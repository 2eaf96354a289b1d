#include "worker/reducer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/generated/variable_factories.h>

#include <thread>

#include "collective/local_group.h"

namespace trainyard::worker {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(60);
constexpr int64_t kTinyBucket = 64;

// Three layers of a toy network, and one parameter that the loss never touches.
NamedTensors Parameters(at::ScalarType type) {
  NamedTensors parameters;
  for (int i = 0; i < 3; ++i) {
    const at::Tensor value = (at::sin(at::arange(16, at::kDouble) + i)).view({4, 4}).to(type);
    parameters.push_back({"layer" + std::to_string(i), value.set_requires_grad(true)});
  }
  parameters.push_back({"unused", at::ones({3}, type).set_requires_grad(true)});
  return parameters;
}

// The sum over `rows` samples with numbers from `first`.
at::Tensor LossSum(const NamedTensors& parameters, int first, int rows) {
  const at::ScalarType type = parameters[0].tensor.scalar_type();
  at::Tensor x = at::cos(at::arange(first * 4, (first + rows) * 4, at::kDouble)).view({rows, 4});
  x = x.to(type);
  for (int i = 0; i < 3; ++i) x = at::tanh(at::matmul(x, parameters[i].tensor));
  return x.pow(2).sum();
}

// One step over samples `first`.. in micro-batches of the given sizes.
std::vector<at::Tensor> RunStep(Reducer& reducer, const NamedTensors& parameters, int first,
                                const std::vector<int>& micro_batches) {
  reducer.BeginStep();
  for (size_t m = 0; m < micro_batches.size(); ++m) {
    const at::Tensor loss = LossSum(parameters, first, micro_batches[m]);
    reducer.BeginMicroBatch(m + 1 == micro_batches.size());
    torch::autograd::backward({loss}, {});
    first += micro_batches[m];
  }
  reducer.Launch();
  EXPECT_TRUE(reducer.Wait().ok());
  std::vector<at::Tensor> gradients;
  for (const at::Tensor& gradient : reducer.gradients()) gradients.push_back(gradient.clone());
  return gradients;
}

std::vector<at::Tensor> Alone(at::ScalarType type, const std::vector<int>& micro_batches) {
  const auto group = collective::SingleRankGroup();
  const NamedTensors parameters = Parameters(type);
  Reducer reducer(parameters, group.get(), kTinyBucket);
  return RunStep(reducer, parameters, 0, micro_batches);
}

void ExpectClose(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b,
                 double tolerance) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    const double scale = std::max(1e-30, b[i].norm().item<double>());
    EXPECT_LE((a[i] - b[i]).norm().item<double>() / scale, tolerance) << i;
  }
}

TEST(Reducer, AccumulationEqualsOneBatch) {
  ExpectClose(Alone(at::kDouble, {3, 1, 4}), Alone(at::kDouble, {8}), 1e-14);
}

TEST(Reducer, RanksWithUnequalMicroBatchesEqualOneRank) {
  // 8 samples in all; the second case has a rank with none.
  const std::vector<std::vector<std::vector<int>>> cases = {
      {{2, 1}, {5}}, {{3, 2, 3}, {}}, {{1}, {2, 2}, {3}}, {{2}, {2}, {2}, {1, 1}}};
  const auto expected = Alone(at::kDouble, {8});
  for (const auto& micro_batches : cases) {
    const auto groups = collective::LocalGroups(static_cast<int>(micro_batches.size()), kPatience);
    std::vector<std::vector<at::Tensor>> gradients(groups.size());
    std::vector<std::thread> threads;
    int first = 0;
    for (size_t rank = 0; rank < groups.size(); ++rank) {
      threads.emplace_back([&, rank, first] {
        const NamedTensors parameters = Parameters(at::kDouble);
        Reducer reducer(parameters, groups[rank].get(), kTinyBucket);
        RunStep(reducer, parameters, 7, {1});  // an earlier step leaves nothing behind
        gradients[rank] = RunStep(reducer, parameters, first, micro_batches[rank]);
      });
      for (int rows : micro_batches[rank]) first += rows;
    }
    for (std::thread& thread : threads) thread.join();
    for (const auto& of_rank : gradients) ExpectClose(of_rank, expected, 1e-13);
  }
}

TEST(Reducer, AParameterWithoutGradientContributesZeros) {
  const auto gradients = Alone(at::kFloat, {2});
  EXPECT_EQ(gradients[3].abs().sum().item<float>(), 0);
}

TEST(Reducer, Bf16GradientsAddUpInFp32) {
  const auto group = collective::SingleRankGroup();
  NamedTensors parameters = {{"w", at::ones({1}, at::kBFloat16).set_requires_grad(true)}};
  Reducer reducer(parameters, group.get(), kTinyBucket);
  reducer.BeginStep();
  // 1 + 64 * 2^-9: every addition would be lost in bf16.
  for (int m = 0; m < 65; ++m) {
    reducer.BeginMicroBatch(m == 64);
    const double slope = m == 0 ? 1.0 : 1.0 / 512;
    torch::autograd::backward({parameters[0].tensor.sum() * slope}, {});
    EXPECT_FALSE(parameters[0].tensor.grad().defined()) << "the hook clears it";
  }
  reducer.Launch();
  ASSERT_TRUE(reducer.Wait().ok());
  EXPECT_EQ(reducer.gradients()[0].item<float>(), 1.125f);
}

TEST(Reducer, TheLayoutFollowsTheBackwardAndCoversEveryParameterOnce) {
  const auto group = collective::SingleRankGroup();
  const NamedTensors parameters = Parameters(at::kFloat);
  const Reducer reducer(parameters, group.get(), 100);
  EXPECT_EQ(reducer.Layout().dump(), R"([["unused","layer2","layer1"],["layer0"]])");
}

TEST(Reducer, TakesItsHooksAway) {
  const auto group = collective::SingleRankGroup();
  const NamedTensors parameters = Parameters(at::kFloat);
  { Reducer reducer(parameters, group.get(), kTinyBucket); }
  torch::autograd::backward({LossSum(parameters, 0, 2)}, {});
  EXPECT_TRUE(parameters[0].tensor.grad().defined());
}

}  // namespace
}  // namespace trainyard::worker
