#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/config.h"

namespace trainyard::model {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

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

// A relative of Llama with the same sizes.
Json Typed(const char* model_type) {
  Json json = LlamaJson();
  json["model_type"] = model_type;
  json.erase("architectures");
  return json;
}

std::string ErrorWith(Json json, const std::string& field, Json value) {
  json[field] = std::move(value);
  const auto parsed = ParseConfig(json, "dir/config.json");
  EXPECT_TRUE(absl::IsInvalidArgument(parsed.status())) << field;
  EXPECT_THAT(std::string(parsed.status().message()), HasSubstr("dir/config.json"));
  return std::string(parsed.status().message());
}

TEST(ConfigJsonTest, ReadsALlamaConfig) {
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

TEST(ConfigJsonTest, ReadsAGpt2ConfigAndReportsDropoutAsIgnored) {
  const auto parsed = ParseConfig(Gpt2Json(), "config.json");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->config.ffn_width, 128);
  EXPECT_TRUE(parsed->config.tied_head);
  EXPECT_THAT(parsed->ignored, ElementsAre("attn_pdrop 0.1 -> 0"));
}

TEST(ConfigJsonTest, UnsupportedOptionsAreRefusedByName) {
  EXPECT_THAT(ErrorWith(LlamaJson(), "model_type", "mamba"),
              AllOf(HasSubstr("mamba"), HasSubstr("gpt2, llama, mistral, qwen2, qwen3")));
  EXPECT_THAT(ErrorWith(LlamaJson(), "architectures", {"LlamaForTokenClassification"}),
              AllOf(HasSubstr("LlamaForTokenClassification"), HasSubstr("LlamaForCausalLM")));
  EXPECT_THAT(ErrorWith(LlamaJson(), "architectures", {"MistralForCausalLM"}),
              HasSubstr("MistralForCausalLM"));
  EXPECT_THAT(ErrorWith(LlamaJson(), "hidden_act", "gelu"), HasSubstr("hidden_act gelu"));
  EXPECT_THAT(ErrorWith(LlamaJson(), "quantization_config", {{"bits", 4}}),
              HasSubstr("quantization_config"));
  EXPECT_THAT(ErrorWith(LlamaJson(), "use_sliding_window", true), HasSubstr("use_sliding_window"));
  EXPECT_THAT(ErrorWith(Gpt2Json(), "activation_function", "relu"), HasSubstr("relu"));
  EXPECT_THAT(ErrorWith(Gpt2Json(), "scale_attn_weights", false), HasSubstr("scale_attn_weights"));
  EXPECT_THAT(ErrorWith(Gpt2Json(), "add_cross_attention", true), HasSubstr("add_cross_attention"));
  for (const char* type : {"mistral", "qwen2", "qwen3"}) {
    EXPECT_THAT(ErrorWith(Typed(type), "mlp_bias", true), HasSubstr("mlp_bias true"));
  }
  EXPECT_THAT(ErrorWith(Typed("mistral"), "attention_bias", true),
              HasSubstr("attention_bias true"));
  EXPECT_THAT(ErrorWith(Typed("mistral"), "sliding_window", 0), HasSubstr("sliding_window 0"));
}

TEST(ConfigJsonTest, AFieldThatNobodyReadsIsReported) {
  Json json = LlamaJson();
  json["logit_scale"] = 0.5;
  json["rope_interleaved"] = false;
  EXPECT_THAT(ParseConfig(json, "c")->ignored,
              ElementsAre("logit_scale is no option of a llama model"));
}

TEST(ConfigJsonTest, BiasesAreThoseOfTheType) {
  struct Case {
    const char* type;
    bool qkv, out;
  };
  for (const Case& c : {Case{"llama", true, true}, {"qwen2", true, false}, {"qwen3", true, true}}) {
    Json json = Typed(c.type);
    json["attention_bias"] = true;
    const auto parsed = ParseConfig(json, "c");
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(parsed->config.qkv_bias, c.qkv) << c.type;
    EXPECT_EQ(parsed->config.out_bias, c.out) << c.type;
  }
  Json json = LlamaJson();
  json["mlp_bias"] = true;
  EXPECT_TRUE(ParseConfig(json, "c")->config.mlp_bias);
}

// What transformers takes for a field that a config.json does not have.
TEST(ConfigJsonTest, AbsentSizesAreThoseOfTheType) {
  Json json = Typed("mistral");
  json["num_attention_heads"] = 16;
  json.erase("num_key_value_heads");
  EXPECT_EQ(ParseConfig(json, "c")->config.kv_heads, 8);
  json["num_key_value_heads"] = nullptr;
  EXPECT_EQ(ParseConfig(json, "c")->config.kv_heads, 16);
  EXPECT_EQ(ParseConfig(Typed("qwen3"), "c")->config.head_width, 128);
  EXPECT_EQ(ParseConfig(Typed("qwen2"), "c")->config.head_width, 8);
}

TEST(ConfigJsonTest, MistralsWindowIsEveryLayers) {
  Json json = Typed("mistral");
  EXPECT_EQ(ParseConfig(json, "c")->config.window, 4096);
  json["sliding_window"] = nullptr;
  EXPECT_EQ(ParseConfig(json, "c")->config.window, 0);
  json["sliding_window"] = 16;
  const ModelConfig config = ParseConfig(json, "c")->config;
  for (int64_t layer = 0; layer < 3; ++layer) EXPECT_EQ(LayerWindow(config, layer), 16);
}

TEST(ConfigJsonTest, QwensWindowIsThatOfSomeLayers) {
  Json json = Typed("qwen2");
  json["sliding_window"] = 16;
  json["max_window_layers"] = 2;
  EXPECT_EQ(ParseConfig(json, "c")->config.window, 0);  // use_sliding_window is off
  json["use_sliding_window"] = true;
  EXPECT_THAT(ParseConfig(json, "c")->config.windowed_layers, ElementsAre(false, false, true));
  json["max_window_layers"] = 3;
  EXPECT_EQ(ParseConfig(json, "c")->config.window, 0);
  json["layer_types"] = {"sliding_attention", "full_attention", "sliding_attention"};
  EXPECT_THAT(ParseConfig(json, "c")->config.windowed_layers, ElementsAre(true, false, true));
  EXPECT_THAT(ErrorWith(json, "layer_types", {"full_attention"}), HasSubstr("names 1 layers"));
  EXPECT_THAT(ErrorWith(json, "layer_types", {"chunked_attention"}),
              HasSubstr("chunked_attention"));
  EXPECT_THAT(ErrorWith(json, "use_sliding_window", false), HasSubstr("layer_types"));
}

TEST(ConfigJsonTest, MissingIllTypedAndImpossibleSizesAreRefused) {
  EXPECT_THAT(ErrorWith(LlamaJson(), "hidden_size", nullptr), HasSubstr("hidden_size"));
  EXPECT_THAT(ErrorWith(LlamaJson(), "hidden_size", "big"), HasSubstr("hidden_size"));
  EXPECT_THAT(ErrorWith(LlamaJson(), "vocab_size", 0), HasSubstr("vocabulary size is 0"));
  EXPECT_THAT(ErrorWith(LlamaJson(), "num_key_value_heads", 3), HasSubstr("3 key-value heads"));
  EXPECT_THAT(ErrorWith(LlamaJson(), "head_dim", 7), HasSubstr("must be even"));
  EXPECT_THAT(ErrorWith(Gpt2Json(), "n_embd", 30), HasSubstr("no multiple of 4 heads"));
}

TEST(ConfigJsonTest, ARelativeOfLlamaHasItsFlags) {
  EXPECT_TRUE(ParseConfig(Typed("qwen2"), "c")->config.qkv_bias);
  EXPECT_TRUE(ParseConfig(Typed("qwen3"), "c")->config.qk_norm);
}

TEST(ConfigJsonTest, AScoreModelHasOneLabelAndAPadTokenOfItsOwn) {
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

TEST(ConfigJsonTest, WhatIsWrittenIsReadBack) {
  for (const char* type : {"llama", "mistral", "qwen2", "qwen3", "gpt2"}) {
    Json json = std::string(type) == "gpt2" ? Gpt2Json() : Typed(type);
    json["use_sliding_window"] = json["attention_bias"] = json["mlp_bias"] = false;
    for (const bool every_option : {false, true}) {
      if (every_option && std::string(type) != "gpt2") {
        json["attention_bias"] = std::string(type) == "llama" || std::string(type) == "qwen3";
        json["mlp_bias"] = std::string(type) == "llama";
        json["use_sliding_window"] = std::string(type) != "llama";
        json["sliding_window"] = 5;
        json["max_window_layers"] = 1;
        json["rope_scaling"] = {{"rope_type", "yarn"}, {"factor", 3.0}, {"truncate", false}};
      }
      const auto parsed = ParseConfig(json, "c");
      ASSERT_TRUE(parsed.ok()) << type << parsed.status();
      const Json written = ConfigJson(parsed->config, "bfloat16");
      const auto again = ParseConfig(written, "again");
      ASSERT_TRUE(again.ok()) << type << again.status();
      EXPECT_THAT(again->ignored, IsEmpty());
      EXPECT_TRUE(SameComputation(again->config, parsed->config)) << type;
      EXPECT_EQ(ConfigJson(again->config, "bfloat16"), written) << type;
    }
  }
}

TEST(ConfigJsonTest, EveryEndTokenIsKept) {
  ModelConfig config = ParseConfig(LlamaJson(), "c")->config;
  EXPECT_EQ(ConfigJson(config, "float32")["eos_token_id"], Json({7, 8}));
  config.eos_token_id = 8;  // another was trained
  EXPECT_EQ(ConfigJson(config, "float32")["eos_token_id"], 8);
}

}  // namespace
}  // namespace trainyard::model
