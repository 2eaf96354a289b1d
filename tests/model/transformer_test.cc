#include "model/transformer.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <torch/csrc/autograd/autograd.h>

#include "model/gemm.h"
#include "model/loss.h"
#include "model/numerics.h"
#include "tests/model/tiny_model.h"

namespace trainyard::model {
namespace {

using ::testing::HasSubstr;

class TransformerTest : public ::testing::TestWithParam<std::tuple<Family, at::ScalarType>> {
 protected:
  void SetUp() override { SetComputeThreads(1); }
  Family family() const { return std::get<0>(GetParam()); }
  at::ScalarType type() const { return std::get<1>(GetParam()); }
};

TEST_P(TransformerTest, PackedEqualsUnpackedBitForBit) {
  for (const int threads : {1, 2}) {
    SetComputeThreads(threads);
    const Model model = TinyModel(family(), type());
    const std::vector<int64_t> lengths = {5, 17, 1, 40, 8};
    const at::Tensor packed = Forward(model, TinyRows(model.config, lengths));
    int64_t begin = 0;
    for (const int64_t length : lengths) {
      const at::Tensor alone = Forward(model, TinyRows(model.config, {length}));
      EXPECT_TRUE(at::equal(packed.narrow(0, begin, length), alone.narrow(0, 0, length)))
          << length << " rows, " << threads << " threads";
      begin += length;
    }
  }
}

TEST_P(TransformerTest, ForwardWithoutGradientsGivesTheBitsOfTraining) {
  const Model model = TinyModel(family(), type());
  SetRequiresGrad(model, true);
  const PackedTokens rows = TinyRows(model.config, {30, 11});
  const at::Tensor trained = Forward(model, rows);
  EXPECT_TRUE(trained.requires_grad());
  const at::NoGradGuard no_grad;
  EXPECT_TRUE(at::equal(trained, Forward(model, rows)));
}

TEST_P(TransformerTest, ALaterTokenChangesNoEarlierState) {
  const Model model = TinyModel(family(), type());
  PackedTokens rows = TinyRows(model.config, {20});
  const at::Tensor before = Forward(model, rows);
  rows.token_ids_N[15] = (rows.token_ids_N[15].item<int64_t>() + 1) % 96;
  const at::Tensor after = Forward(model, rows);
  EXPECT_TRUE(at::equal(before.narrow(0, 0, 15), after.narrow(0, 0, 15)));
  EXPECT_FALSE(at::equal(before[15], after[15]));
}

TEST_P(TransformerTest, EveryParameterGetsAGradient) {
  const Model model = TinyModel(family(), type());
  SetRequiresGrad(model, true);
  const PackedTokens rows = TinyRows(model.config, {30, 11});
  const at::Tensor weights = at::ones({rows.token_ids_N.size(0)});
  torch::autograd::backward({LinearCrossEntropy(Forward(model, rows), LmHeadWeight(model),
                                                {rows.token_ids_N.roll(-1), weights})},
                            {});
  for (const NamedTensor& parameter : Parameters(model)) {
    ASSERT_TRUE(parameter.tensor.grad().defined()) << parameter.name;
    EXPECT_GT(parameter.tensor.grad().abs().sum().item<double>(), 0.0) << parameter.name;
  }
}

INSTANTIATE_TEST_SUITE_P(All, TransformerTest,
                         ::testing::Combine(::testing::Values(Family::kGpt2, Family::kLlama),
                                            ::testing::Values(at::kDouble, at::kFloat,
                                                              at::kBFloat16)));

TEST(TransformerTrainingTest, OverfitsOneBatch) {
  SetComputeThreads(1);
  const Model model = TinyModel(Family::kLlama, at::kFloat);
  SetRequiresGrad(model, true);
  const PackedTokens rows = TinyRows(model.config, {12, 20});
  const at::Tensor weights = at::zeros({rows.token_ids_N.size(0)});
  weights.narrow(0, 0, 11).fill_(1);
  weights.narrow(0, 12, 19).fill_(1);
  double loss = 0;
  for (int step = 0; step < 120; ++step) {
    const at::Tensor sum = LinearCrossEntropy(Forward(model, rows), LmHeadWeight(model),
                                              {rows.token_ids_N.roll(-1), weights});
    torch::autograd::backward({sum}, {});
    loss = sum.item<double>() / 30;
    const at::NoGradGuard no_grad;
    for (const NamedTensor& parameter : Parameters(model)) {
      at::Tensor gradient = parameter.tensor.grad();
      parameter.tensor.sub_(gradient.sign() * 3e-3);
      gradient.zero_();
    }
  }
  EXPECT_LT(loss, 0.1);
}

TEST(ScalarScoresTest, AScoreDoesNotDependOnWhichOthersAreAsked) {
  SetComputeThreads(1);
  const Model model = TinyModel(Family::kLlama, at::kFloat, Head::kScalar);
  const at::Tensor hidden = Forward(model, TinyRows(model.config, {30, 11}));
  const at::Tensor all = ScalarScores(model, hidden, at::arange(41));
  for (const int64_t row : {0, 17, 40}) {
    EXPECT_TRUE(at::equal(ScalarScores(model, hidden, at::full({1}, row, at::kLong)),
                          all.narrow(0, row, 1)));
  }
}

TEST(PackTokensTest, PadsWithInertRowsAndCountsPositionsFromEachSegment) {
  const ModelConfig config = TinyConfig(Family::kLlama);
  const PackedTokens rows = TinyRows(config, {3, 15});
  EXPECT_EQ(rows.token_ids_N.size(0), PaddedRows(18));
  EXPECT_EQ(rows.rows(), 18);
  EXPECT_EQ(rows.position_limit, 15);
  EXPECT_EQ(rows.positions_N[3].item<int64_t>(), 0);
  EXPECT_EQ(rows.positions_N[17].item<int64_t>(), 14);
}

TEST(PackTokensTest, WhatDoesNotFitTheModelIsRefusedWithItsRow) {
  const ModelConfig config = TinyConfig(Family::kLlama);
  const auto error = [&](std::vector<int32_t> ids, std::vector<int64_t> offsets,
                         std::vector<int32_t> positions) {
    const auto packed = PackTokens(config, {ids, offsets, positions}, at::kCPU);
    EXPECT_TRUE(absl::IsInvalidArgument(packed.status()));
    return std::string(packed.status().message());
  };
  EXPECT_THAT(error({1, 96}, {0, 2}, {}), HasSubstr("row 1: token id 96"));
  EXPECT_THAT(error({1, -1}, {0, 2}, {}), HasSubstr("row 1: token id -1"));
  EXPECT_THAT(error({1, 2}, {0, 2}, {63, 64}), HasSubstr("row 1: position 64"));
  EXPECT_THAT(error(std::vector<int32_t>(65, 1), {0, 65}, {}), HasSubstr("context of 64"));
  EXPECT_THAT(error({1, 2}, {0, 1}, {}), HasSubstr("segment offsets"));
  EXPECT_THAT(error({1, 2}, {0, 0, 2}, {}), HasSubstr("segment offsets"));
  EXPECT_THAT(error({}, {}, {}), HasSubstr("segment offsets"));
  EXPECT_THAT(error({1, 2}, {0, 2}, {0}), HasSubstr("1 positions"));
}

}  // namespace
}  // namespace trainyard::model
