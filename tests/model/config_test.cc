#include "model/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trainyard::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Json LlamaJson() {
  return {{"model_type", "llama"},
          {"architectures", {"LlamaForCausalLM"}},
          {"vocab_size", 128},
          {"hidden_size", 32},
          {"intermediate_size", 88},
          {"num_hidden_layers", 3},
          {"num_attention_heads", 4},
          {"num_key_value_heads", 2},
          {"max_position_embeddings", 64},
          {"rms_norm_eps", 1e-5},
          {"rope_theta", 5000.0},
          {"eos_token_id", {7, 8}},
          {"pad_token_id", nullptr}};
}

Json Gpt2Json() {
  return {{"model_type", "gpt2"}, {"vocab_size", 128}, {"n_embd", 32},      {"n_layer", 2},
          {"n_head", 4},          {"n_positions", 64}, {"attn_pdrop", 0.1}, {"n_inner", nullptr}};
}

std::string ErrorWith(Json json, const std::string& field, Json value) {
  json[field] = std::move(value);
  const auto parsed = ParseConfig(json, "dir/config.json");
  EXPECT_TRUE(absl::IsInvalidArgument(parsed.status())) << field;
  EXPECT_THAT(std::string(parsed.status().message()), HasSubstr("dir/config.json"));
  return std::string(parsed.status().message());
}

TEST(ModelConfigTest, ReadsALlamaConfig) {
  const auto parsed = ParseConfig(LlamaJson(), "config.json");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const ModelConfig& config = parsed->config;
  EXPECT_EQ(config.family, Family::kLlama);
  EXPECT_EQ(config.head, Head::kLm);
  EXPECT_EQ(config.kv_heads, 2);
  EXPECT_EQ(config.head_width, 8);
  EXPECT_EQ(config.rope_theta, 5000.0);
  EXPECT_FALSE(config.tied_head);
  EXPECT_EQ(config.eos_token_id, 7);
  EXPECT_EQ(config.pad_token_id, -1);
}

TEST(ModelConfigTest, ReadsAGpt2ConfigAndReportsDropoutAsIgnored) {
  const auto parsed = ParseConfig(Gpt2Json(), "config.json");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->config.ffn_width, 128);
  EXPECT_TRUE(parsed->config.tied_head);
  EXPECT_THAT(parsed->ignored, ElementsAre("attn_pdrop 0.1 -> 0"));
}

TEST(ModelConfigTest, UnsupportedOptionsAreRefusedByName) {
  EXPECT_THAT(ErrorWith(LlamaJson(), "model_type", "mamba"), HasSubstr("mamba"));
  EXPECT_THAT(ErrorWith(LlamaJson(), "hidden_act", "gelu"), HasSubstr("hidden_act gelu"));
  EXPECT_THAT(ErrorWith(LlamaJson(), "attention_bias", true), HasSubstr("attention_bias true"));
  EXPECT_THAT(ErrorWith(LlamaJson(), "mlp_bias", true), HasSubstr("mlp_bias true"));
  EXPECT_THAT(ErrorWith(LlamaJson(), "rope_scaling", {{"rope_type", "llama3"}}),
              HasSubstr("rope_scaling.rope_type llama3"));
  EXPECT_THAT(ErrorWith(LlamaJson(), "rope_parameters", {{"rope_type", "yarn"}}),
              HasSubstr("yarn"));
  EXPECT_THAT(ErrorWith(LlamaJson(), "partial_rotary_factor", 0.5), HasSubstr("partial_rotary"));
  EXPECT_THAT(ErrorWith(Gpt2Json(), "activation_function", "relu"), HasSubstr("relu"));
  EXPECT_THAT(ErrorWith(Gpt2Json(), "scale_attn_weights", false), HasSubstr("scale_attn_weights"));
  EXPECT_THAT(ErrorWith(Gpt2Json(), "add_cross_attention", true), HasSubstr("add_cross_attention"));
  Json mistral = LlamaJson();
  mistral["model_type"] = "mistral";
  EXPECT_THAT(ErrorWith(mistral, "sliding_window", 16), HasSubstr("sliding_window 16"));
}

TEST(ModelConfigTest, MissingIllTypedAndImpossibleSizesAreRefused) {
  EXPECT_THAT(ErrorWith(LlamaJson(), "hidden_size", nullptr), HasSubstr("hidden_size"));
  EXPECT_THAT(ErrorWith(LlamaJson(), "hidden_size", "big"), HasSubstr("hidden_size"));
  EXPECT_THAT(ErrorWith(LlamaJson(), "vocab_size", 0), HasSubstr("vocabulary size is 0"));
  EXPECT_THAT(ErrorWith(LlamaJson(), "num_key_value_heads", 3), HasSubstr("3 key-value heads"));
  EXPECT_THAT(ErrorWith(LlamaJson(), "head_dim", 7), HasSubstr("must be even"));
  EXPECT_THAT(ErrorWith(Gpt2Json(), "n_embd", 30), HasSubstr("no multiple of 4 heads"));
}

TEST(ModelConfigTest, ARelativeOfLlamaHasItsFlags) {
  Json json = LlamaJson();
  json["model_type"] = "qwen2";
  EXPECT_TRUE(ParseConfig(json, "c")->config.qkv_bias);
  json["model_type"] = "qwen3";
  EXPECT_TRUE(ParseConfig(json, "c")->config.qk_norm);
}

TEST(ModelConfigTest, AScoreModelHasOneLabelAndAPadTokenOfItsOwn) {
  Json json = LlamaJson();
  json["architectures"] = {"LlamaForSequenceClassification"};
  EXPECT_THAT(ErrorWith(json, "id2label", {{"0", "a"}, {"1", "b"}}), HasSubstr("labels 2"));
  json["id2label"] = {{"0", "LABEL_0"}};
  ModelConfig config = ParseConfig(json, "c")->config;
  EXPECT_EQ(config.head, Head::kScalar);
  for (const int64_t eos : {0, 7}) {
    config.eos_token_id = config.pad_token_id = eos;
    const Json written = ConfigJson(config, "float32");
    EXPECT_NE(written["pad_token_id"].get<int64_t>(), eos);
    EXPECT_EQ(written["architectures"][0], "LlamaForSequenceClassification");
  }
}

TEST(ModelConfigTest, WhatIsWrittenIsReadBack) {
  for (const char* type : {"llama", "mistral", "qwen2", "qwen3", "gpt2"}) {
    Json json = std::string(type) == "gpt2" ? Gpt2Json() : LlamaJson();
    json["model_type"] = type;
    const ModelConfig config = ParseConfig(json, "c")->config;
    const auto again = ParseConfig(ConfigJson(config, "bfloat16"), "again");
    ASSERT_TRUE(again.ok()) << type << again.status();
    EXPECT_TRUE(again->ignored.empty());
    EXPECT_EQ(ConfigJson(again->config, "bfloat16"), ConfigJson(config, "bfloat16")) << type;
  }
}

TEST(ModelConfigTest, CountsTheRecipesParameters) {
  ModelConfig config;
  config.vocab_size = 4096;
  config.width = 128;
  config.ffn_width = 344;
  config.layers = 4;
  config.heads = config.kv_heads = 4;
  config.head_width = 32;
  config.max_positions = 96;
  EXPECT_EQ(ParameterCount(config), 1'315'968);
  EXPECT_NEAR(TrainingFlopsPerToken(config, 64), 6.0 * (1'315'968 - 9 * 128 + 4 * 128 * 64), 1.0);
}

}  // namespace
}  // namespace trainyard::model
