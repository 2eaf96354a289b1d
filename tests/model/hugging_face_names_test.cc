#include "model/hugging_face_names.h"

#include "model/numerics.h"
#include "tests/model/tiny_model.h"

namespace trainyard::model {
namespace {

at::Tensor Find(const std::vector<NamedTensor>& views, const std::string& name) {
  for (const NamedTensor& view : views) {
    if (view.name == name) return view.tensor;
  }
  return at::Tensor();
}

TEST(HuggingFaceNamesTest, ViewsAreTheParametersMemory) {
  SetComputeThreads(1);
  const Model model = TinyModel(Family::kLlama, at::kFloat);
  const at::Tensor keys = Find(HuggingFaceViews(model), "model.layers.1.self_attn.k_proj.weight");
  ASSERT_EQ(keys.sizes(), (at::IntArrayRef{16, 32}));
  keys.fill_(3.0);
  EXPECT_EQ(model.layers[1].qkv_weight.narrow(0, 32, 16).min().item<float>(), 3.0f);
  EXPECT_NE(model.layers[1].qkv_weight[31][0].item<float>(), 3.0f);
}

TEST(HuggingFaceNamesTest, Gpt2MatricesAreTransposed) {
  const Model model = TinyModel(Family::kGpt2, at::kFloat);
  const auto views = HuggingFaceViews(model);
  EXPECT_EQ(Find(views, "transformer.h.0.attn.c_attn.weight").sizes(), (at::IntArrayRef{32, 96}));
  EXPECT_TRUE(at::equal(Find(views, "transformer.h.1.mlp.c_proj.weight").t(),
                        model.layers[1].down_weight_DF));
}

TEST(HuggingFaceNamesTest, EveryNumberHasOneName) {
  for (const Family family : {Family::kGpt2, Family::kLlama}) {
    const Model model = TinyModel(family, at::kFloat, Head::kScalar);
    int64_t count = 0;
    for (const NamedTensor& view : HuggingFaceViews(model)) count += view.tensor.numel();
    EXPECT_EQ(count, ParameterCount(model.config));
  }
}

TEST(HuggingFaceNamesTest, EveryBiasOfALlamaHasItsOwnName) {
  ModelConfig config = TinyConfig(Family::kLlama);
  config.qkv_bias = config.out_bias = config.mlp_bias = true;
  const Model model = InitModel(config, {}).value();
  int64_t count = 0;
  for (const NamedTensor& view : HuggingFaceViews(model)) count += view.tensor.numel();
  EXPECT_EQ(count, ParameterCount(config));
  const at::Tensor up = Find(HuggingFaceViews(model), "model.layers.0.mlp.up_proj.bias");
  up.fill_(2.0);
  EXPECT_EQ(model.layers[0].up_bias.narrow(0, 0, 48).max().item<float>(), 0.0f);
  EXPECT_EQ(model.layers[0].up_bias.narrow(0, 48, 48).min().item<float>(), 2.0f);
}

}  // namespace
}  // namespace trainyard::model
