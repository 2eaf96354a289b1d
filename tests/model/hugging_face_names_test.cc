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

TEST(HuggingFaceNamesTest, OnlyEmptyBaggageMayBeIgnored) {
  ModelConfig config = TinyConfig(Family::kGpt2);
  EXPECT_TRUE(MayBeIgnored(config, "transformer.h.0.attn.bias"));
  EXPECT_TRUE(MayBeIgnored(config, "lm_head.weight"));
  EXPECT_FALSE(MayBeIgnored(config, "transformer.h.0.attn.c_attn.bias"));
  config.tied_head = false;
  EXPECT_FALSE(MayBeIgnored(config, "lm_head.weight"));
  config = TinyConfig(Family::kLlama);
  EXPECT_TRUE(MayBeIgnored(config, "model.layers.0.self_attn.rotary_emb.inv_freq"));
  EXPECT_FALSE(MayBeIgnored(config, "model.layers.0.self_attn.q_proj.bias"));
}

}  // namespace
}  // namespace trainyard::model
