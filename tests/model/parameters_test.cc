#include "model/parameters.h"

#include <gmock/gmock.h>

#include <set>

#include "model/numerics.h"
#include "tests/model/tiny_model.h"

namespace trainyard::model {
namespace {

class ParametersTest : public ::testing::Test {
 protected:
  void SetUp() override { SetComputeThreads(1); }
};

TEST_F(ParametersTest, CountMatchesTheConfigForEveryFamily) {
  for (const Family family : {Family::kGpt2, Family::kLlama}) {
    for (const Head head : {Head::kLm, Head::kScalar}) {
      const Model model = TinyModel(family, at::kFloat, head);
      int64_t count = 0;
      std::set<std::string> names;
      for (const NamedTensor& parameter : Parameters(model)) {
        count += parameter.tensor.numel();
        EXPECT_TRUE(names.insert(parameter.name).second) << parameter.name;
      }
      EXPECT_EQ(count, ParameterCount(model.config));
    }
  }
}

TEST_F(ParametersTest, ListsTheVeryTensorsInForwardOrder) {
  const Model model = TinyModel(Family::kLlama, at::kFloat);
  const auto parameters = Parameters(model);
  EXPECT_EQ(parameters.front().name, "token_embedding.weight");
  EXPECT_TRUE(parameters.front().tensor.is_same(model.token_embedding_VD));
  EXPECT_EQ(parameters[1].name, "layers.0.attention_norm.weight");
  EXPECT_EQ(parameters.back().name, "final_norm.weight");
}

TEST_F(ParametersTest, InitIsAFunctionOfTheSeedAlone) {
  const ModelConfig config = TinyConfig(Family::kGpt2);
  InitOptions options;
  options.seed = 4;
  const auto one = Parameters(InitModel(config, options).value());
  SetComputeThreads(2);
  const auto two = Parameters(InitModel(config, options).value());
  options.dtype = at::kBFloat16;
  const auto narrow = Parameters(InitModel(config, options).value());
  options.seed = 5;
  const auto other = Parameters(InitModel(config, options).value());
  for (size_t i = 0; i < one.size(); ++i) {
    EXPECT_TRUE(at::equal(one[i].tensor, two[i].tensor)) << one[i].name;
    EXPECT_LT((one[i].tensor - narrow[i].tensor).abs().max().item<float>(), 1e-2);
  }
  EXPECT_FALSE(at::equal(narrow[0].tensor, other[0].tensor));
}

TEST_F(ParametersTest, InitHasTheStatedDeviations) {
  ModelConfig config = TinyConfig(Family::kLlama);
  config.vocab_size = 4000;
  config.ffn_width = 2000;
  const Model model = InitModel(config, {}).value();
  const auto deviation = [](const at::Tensor& tensor) { return tensor.std().item<double>(); };
  EXPECT_NEAR(deviation(model.token_embedding_VD), 0.02, 2e-4);
  EXPECT_NEAR(model.token_embedding_VD.mean().item<double>(), 0.0, 3e-4);
  EXPECT_NEAR(deviation(model.layers[1].up_weight), 0.02, 2e-4);
  EXPECT_NEAR(deviation(model.layers[1].down_weight_DF), 0.02 / 2.0, 2e-4);
  EXPECT_TRUE(at::equal(model.final_norm_weight_D, at::ones({32})));
}

TEST_F(ParametersTest, ACopyHasItsOwnMemory) {
  const Model model = TinyModel(Family::kLlama, at::kFloat);
  const Model copy = CloneModel(model, at::kFloat, at::kCPU);
  copy.token_embedding_VD.zero_();
  EXPECT_GT(model.token_embedding_VD.abs().sum().item<float>(), 0.0f);
}

TEST_F(ParametersTest, AScalarHeadSharesTheTrunk) {
  const Model language = TinyModel(Family::kLlama, at::kFloat);
  const Model reward = WithScalarHead(language, {}).value();
  EXPECT_TRUE(reward.token_embedding_VD.is_same(language.token_embedding_VD));
  EXPECT_EQ(reward.score_weight_1D.sizes(), (at::IntArrayRef{1, 32}));
  EXPECT_EQ(Parameters(reward).back().name, "score.weight");
  EXPECT_TRUE(absl::IsFailedPrecondition(WithScalarHead(reward, {}).status()));
}

TEST_F(ParametersTest, AFoldedNormalisationMovesAndScalesTheScore) {
  Model model = TinyModel(Family::kLlama, at::kDouble, Head::kScalar);
  const at::Tensor rows = at::arange(9);
  const at::Tensor hidden = Forward(model, TinyRows(model.config, {9}));
  const at::Tensor raw = ScalarScores(model, hidden, rows);
  ASSERT_TRUE(FoldNormalisation(model, 0.7, 2.5).ok());
  EXPECT_TRUE(at::allclose(ScalarScores(model, hidden, rows), (raw - 0.7) / 2.5));
  EXPECT_EQ(Parameters(model).back().name, "score.bias");
  ASSERT_TRUE(FoldNormalisation(model, -1.0, 2.0).ok());
  EXPECT_TRUE(at::allclose(ScalarScores(model, hidden, rows), ((raw - 0.7) / 2.5 + 1.0) / 2.0));
  EXPECT_TRUE(absl::IsInvalidArgument(FoldNormalisation(model, 0.0, 0.0)));
  Model language = TinyModel(Family::kLlama, at::kDouble);
  EXPECT_TRUE(absl::IsFailedPrecondition(FoldNormalisation(language, 0.0, 1.0)));
}

}  // namespace
}  // namespace trainyard::model
