#include "model/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trainyard::model {
namespace {

using ::testing::HasSubstr;

ModelConfig RecipeConfig() {
  ModelConfig config;
  config.vocab_size = 4096;
  config.width = 128;
  config.ffn_width = 344;
  config.layers = 4;
  config.heads = config.kv_heads = 4;
  config.head_width = 32;
  config.max_positions = 96;
  return config;
}

TEST(ModelConfigTest, CountsTheRecipesParameters) {
  const ModelConfig config = RecipeConfig();
  EXPECT_EQ(ParameterCount(config), 1'315'968);
  EXPECT_NEAR(TrainingFlopsPerToken(config, 64), 6.0 * (1'315'968 - 9 * 128 + 4 * 128 * 64), 1.0);
}

// A query sees half of a context of 64 on average, and 14 rows of a window of 16 in it.
TEST(ModelConfigTest, AWindowSavesProducts) {
  ModelConfig config = RecipeConfig();
  const double all = TrainingFlopsPerToken(config, 64);
  config.window = 16;
  config.windowed_layers = {true, true, false, false};
  EXPECT_NEAR(all - TrainingFlopsPerToken(config, 64), 6.0 * 2 * 128 * (64.0 - 2 * 14), 1.0);
  config.window = 64;
  EXPECT_EQ(TrainingFlopsPerToken(config, 64), all);
}

TEST(ModelConfigTest, AWindowNamesEveryLayerOrNone) {
  ModelConfig config = RecipeConfig();
  config.window = 16;
  EXPECT_THAT(std::string(ValidateConfig(config).message()), HasSubstr("window of 16"));
  config.windowed_layers = {true, false, true, false};
  EXPECT_TRUE(ValidateConfig(config).ok());
  EXPECT_EQ(LayerWindow(config, 0), 16);
  EXPECT_EQ(LayerWindow(config, 1), 0);
}

TEST(ModelConfigTest, WhatChangesTheNumbersMakesAnotherComputation) {
  const ModelConfig config = RecipeConfig();
  const auto differs = [&config](const auto& change) {
    ModelConfig changed = config;
    change(changed);
    return !SameComputation(config, changed);
  };
  EXPECT_FALSE(differs([](ModelConfig& c) { c.eos_token_id = 3; }));
  EXPECT_TRUE(differs([](ModelConfig& c) { c.heads = 2; }));
  EXPECT_TRUE(differs([](ModelConfig& c) { c.mlp_bias = true; }));
  EXPECT_TRUE(differs([](ModelConfig& c) { c.rope_scaling.factor = 2.0; }));
  EXPECT_TRUE(differs([](ModelConfig& c) { c.window = 8; }));
}

}  // namespace
}  // namespace trainyard::model
