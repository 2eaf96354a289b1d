#include "model/adapters.h"

#include <gmock/gmock.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <set>

#include "model/loss.h"
#include "model/numerics.h"
#include "tests/model/tiny_model.h"

namespace trainyard::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Fills every b, so that the adapters change something.
void Wake(const Model& model) {
  at::manual_seed(3);
  for (const NamedTensor& factor : TrainedParameters(model)) {
    if (factor.name.find("lora_B") != std::string::npos) {
      factor.tensor.copy_(at::randn(factor.tensor.sizes(), at::kDouble) * 0.1);
    }
  }
}

class AdaptersTest : public ::testing::TestWithParam<Family> {
 protected:
  void SetUp() override { SetComputeThreads(1); }
  Model Adapted(at::ScalarType type, const AdapterOptions& options, Head head = Head::kLm) {
    Model model = TinyModel(GetParam(), type, head);
    const absl::Status added = AddAdapters(model, options, 5);
    EXPECT_TRUE(added.ok()) << added;
    return model;
  }
  static std::vector<std::string> ModulesOfLayer(const Model& model) {
    std::vector<std::string> modules;
    for (const Adapter& adapter : AllAdapters(model.layers[1])) modules.push_back(adapter.module);
    return modules;
  }
  const AdapterOptions all_{4, 6, {"all-linear"}};
};

INSTANTIATE_TEST_SUITE_P(Families, AdaptersTest, ::testing::Values(Family::kGpt2, Family::kLlama));

TEST_P(AdaptersTest, ANewAdapterChangesNothing) {
  const Model plain = TinyModel(GetParam(), at::kFloat), adapted = Adapted(at::kFloat, all_);
  EXPECT_TRUE(HasAdapters(adapted));
  EXPECT_FALSE(HasAdapters(plain));
  const PackedTokens rows = TinyRows(plain.config, {30, 11});
  EXPECT_TRUE(at::equal(Forward(plain, rows), Forward(adapted, rows)));
}

TEST_P(AdaptersTest, MergedItComputesTheSame) {
  for (const auto& [type, tolerance] : {std::pair{at::kDouble, 1e-12}, {at::kFloat, 1e-4}}) {
    const Model adapted = Adapted(type, all_);
    Wake(adapted);
    const Model merged = MergeAdapters(adapted);
    EXPECT_FALSE(HasAdapters(merged));
    const PackedTokens rows = TinyRows(adapted.config, {30, 11});
    const at::Tensor states = Forward(adapted, rows);
    EXPECT_LT((states - Forward(merged, rows)).abs().max().item<double>(), tolerance);
    EXPECT_GT((states - Forward(WithoutAdapters(adapted), rows)).abs().max().item<double>(), 1e-2);
    EXPECT_TRUE(merged.token_embedding_VD.is_same(adapted.token_embedding_VD));
  }
}

TEST_P(AdaptersTest, AMergedMatrixOfBfloat16IsRoundedOnce) {
  const Model adapted = Adapted(at::kBFloat16, all_);
  Wake(adapted);
  const Layer& layer = adapted.layers[1];
  const Adapter& down = layer.down_adapters.front();
  EXPECT_EQ(down.a_RI.scalar_type(), at::kFloat);
  const at::Tensor exact = layer.down_weight_DF.to(at::kDouble) +
                           1.5 * at::mm(down.b_OR, down.a_RI).to(at::kDouble);
  const at::Tensor merged = MergeAdapters(adapted).layers[1].down_weight_DF;
  EXPECT_EQ(merged.scalar_type(), at::kBFloat16);
  const at::Tensor error = (merged.to(at::kDouble) - exact).abs() / exact.abs();
  EXPECT_LT(error.max().item<double>(), 1.0 / 256 + 1e-4);
}

TEST_P(AdaptersTest, HeldMergedItComputesWithTheBitsThatArePublished) {
  Model model = Adapted(at::kBFloat16, all_);
  const Model base = WithoutAdapters(model);
  HoldMerged(model, base);
  Wake(model);
  RefreshMerged(model, base);
  Model apart = Adapted(at::kBFloat16, all_);
  Wake(apart);
  const Model merged = MergeAdapters(apart), published = MergeAdapters(model);
  EXPECT_FALSE(HasAdapters(published));
  const auto expected = Parameters(merged), held = Parameters(published);
  for (size_t i = 0; i < held.size(); ++i) {
    EXPECT_TRUE(at::equal(held[i].tensor, expected[i].tensor)) << held[i].name;
  }
  EXPECT_FALSE(at::equal(base.layers[0].qkv_weight, model.layers[0].qkv_weight));
  const PackedTokens rows = TinyRows(model.config, {30, 11});
  EXPECT_TRUE(at::equal(Forward(model, rows), Forward(published, rows)));
}

TEST_P(AdaptersTest, HeldMergedTheGradientsAreTheSame) {
  Model apart = Adapted(at::kDouble, all_), held = Adapted(at::kDouble, all_);
  const Model base = WithoutAdapters(held);
  Wake(apart);
  Wake(held);
  HoldMerged(held, base);
  const PackedTokens rows = TinyRows(apart.config, {30, 11});
  for (const Model* model : {&apart, &held}) {
    SetRequiresGrad(*model, true);
    const at::Tensor weights = at::ones({rows.token_ids_N.size(0)}, at::kDouble);
    torch::autograd::backward({LinearCrossEntropy(Forward(*model, rows), LmHeadWeight(*model),
                                                  {rows.token_ids_N.roll(-1), weights})},
                              {});
  }
  const auto expected = TrainedParameters(apart), merged = TrainedParameters(held);
  for (size_t i = 0; i < merged.size(); ++i) {
    EXPECT_LT((merged[i].tensor.grad() - expected[i].tensor.grad()).abs().max().item<double>(),
              1e-9)
        << merged[i].name;
  }
}

TEST_P(AdaptersTest, OnlyTheFactorsAndTheScoreAreTrained) {
  const Model model = Adapted(at::kFloat, all_, Head::kScalar);
  Wake(model);
  SetRequiresGrad(model, true);
  const PackedTokens rows = TinyRows(model.config, {30, 11});
  torch::autograd::backward(
      {ScalarScores(model, Forward(model, rows), at::tensor({29, 40}, at::kLong)).sum()}, {});
  std::set<std::string> trained;
  for (const NamedTensor& parameter : TrainedParameters(model)) {
    trained.insert(parameter.name);
    ASSERT_TRUE(parameter.tensor.grad().defined()) << parameter.name;
    EXPECT_GT(parameter.tensor.grad().abs().sum().item<double>(), 0.0) << parameter.name;
  }
  EXPECT_EQ(trained.size(), 2 * 2 * AdapterModules(model.config).size() + 1);
  EXPECT_EQ(trained.count("score.weight"), 1);
  for (const NamedTensor& parameter : Parameters(model)) {
    if (trained.count(parameter.name) > 0) continue;
    EXPECT_FALSE(parameter.tensor.requires_grad() || parameter.tensor.grad().defined())
        << parameter.name;
  }
}

TEST_P(AdaptersTest, WithoutAdaptersEverythingIsTrained) {
  const Model model = TinyModel(GetParam(), at::kFloat);
  const auto all = Parameters(model), trained = TrainedParameters(model);
  ASSERT_EQ(all.size(), trained.size());
  for (size_t i = 0; i < all.size(); ++i) EXPECT_TRUE(all[i].tensor.is_same(trained[i].tensor));
}

TEST_P(AdaptersTest, TheFirstFactorIsUniformAndAFunctionOfTheSeedAlone) {
  const Model one = Adapted(at::kFloat, all_), two = Adapted(at::kFloat, all_);
  Model other = TinyModel(GetParam(), at::kFloat);
  ASSERT_TRUE(AddAdapters(other, all_, 6).ok());
  const Adapter a = one.layers[0].down_adapters[0], b = two.layers[0].down_adapters[0];
  EXPECT_TRUE(at::equal(a.a_RI, b.a_RI));
  EXPECT_FALSE(at::equal(a.a_RI, other.layers[0].down_adapters[0].a_RI));
  EXPECT_FALSE(at::equal(a.a_RI, one.layers[1].down_adapters[0].a_RI));
  const double bound = 1.0 / std::sqrt(48.0);  // 48 columns
  EXPECT_LE(a.a_RI.abs().max().item<double>(), bound);
  EXPECT_NEAR(a.a_RI.std().item<double>(), bound / std::sqrt(3.0), 0.1 * bound);
  EXPECT_EQ(a.scale, 1.5);
  EXPECT_EQ(a.b_OR.abs().sum().item<double>(), 0.0);
}

TEST_P(AdaptersTest, ACloneHasFactorsOfItsOwn) {
  const Model model = Adapted(at::kFloat, all_);
  const Model copy = CloneModel(model, at::kBFloat16, at::kCPU);
  const Adapter adapter = copy.layers[0].out_adapters[0];
  EXPECT_EQ(adapter.a_RI.scalar_type(), at::kFloat);
  adapter.a_RI.zero_();
  EXPECT_GT(model.layers[0].out_adapters[0].a_RI.abs().sum().item<double>(), 0.0);
}

TEST_P(AdaptersTest, TargetsAreNamesOfTransformers) {
  const bool gpt2 = GetParam() == Family::kGpt2;
  if (gpt2) {
    EXPECT_THAT(ModulesOfLayer(Adapted(at::kFloat, {2, 0, {}})), ElementsAre("attn.c_attn"));
    EXPECT_THAT(ModulesOfLayer(Adapted(at::kFloat, {2, 0, {"c_proj"}})),
                ElementsAre("attn.c_proj", "mlp.c_proj"));
    EXPECT_THAT(ModulesOfLayer(Adapted(at::kFloat, {2, 0, {"mlp.c_proj", "c_fc"}})),
                ElementsAre("mlp.c_fc", "mlp.c_proj"));
  } else {
    EXPECT_THAT(ModulesOfLayer(Adapted(at::kFloat, {2, 0, {}})),
                ElementsAre("self_attn.q_proj", "self_attn.v_proj"));
    EXPECT_THAT(ModulesOfLayer(Adapted(at::kFloat, {2, 0, {"up_proj", "k_proj", "up_proj"}})),
                ElementsAre("self_attn.k_proj", "mlp.up_proj"));
  }
  EXPECT_EQ(ModulesOfLayer(Adapted(at::kFloat, all_)), AdapterModules(TinyConfig(GetParam())));
}

TEST_P(AdaptersTest, WhatIsNotSupportedIsRefusedByName) {
  Model model = TinyModel(GetParam(), at::kFloat);
  const auto refusal = [&](const AdapterOptions& options) {
    const absl::Status status = AddAdapters(model, options, 0);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_FALSE(HasAdapters(model));
    return std::string(status.message());
  };
  EXPECT_THAT(refusal({4, 0, {"query"}}), HasSubstr("\"query\" is no module of a"));
  EXPECT_THAT(refusal({4, 0, {"lm_head"}}),
              HasSubstr(GetParam() == Family::kGpt2 ? "attn.c_attn, " : "self_attn.q_proj, "));
  EXPECT_THAT(refusal({4, 0, {"proj"}}), HasSubstr("\"proj\""));
  EXPECT_THAT(refusal({4, 0, {""}}), HasSubstr("\"\""));
  EXPECT_THAT(refusal({4, 0, {"all-linear", "c_attn"}}), HasSubstr("stands by itself"));
  EXPECT_THAT(refusal({0, 0, {}}), HasSubstr("lora.rank is 0"));
  EXPECT_THAT(refusal({33, 0, {}}), HasSubstr("must be in 1..32"));
  EXPECT_THAT(refusal({4, -1, {}}), HasSubstr("lora.alpha is -1"));
}

TEST_P(AdaptersTest, FrozenMatricesCostTwoThirds) {
  const Model plain = TinyModel(GetParam(), at::kFloat);
  const Model adapted = Adapted(at::kFloat, {1, 0, {}});
  const double all = FlopsPerToken(plain, 8), some = FlopsPerToken(adapted, 8);
  EXPECT_EQ(all, TrainingFlopsPerToken(plain.config, 8));
  EXPECT_GT(some / all, 2.0 / 3.0);
  EXPECT_LT(some / all, 0.75);
}

TEST_P(AdaptersTest, TheFrozenDigestSeesWhatIsFrozenAlone) {
  const Model model = Adapted(at::kFloat, all_, Head::kScalar);
  const std::string before = FrozenDigest(model);
  Wake(model);
  model.score_weight_1D.add_(1.0);
  EXPECT_EQ(FrozenDigest(model), before);
  model.final_norm_weight_D[3] += 1e-6;
  EXPECT_NE(FrozenDigest(model), before);
}

}  // namespace
}  // namespace trainyard::model
