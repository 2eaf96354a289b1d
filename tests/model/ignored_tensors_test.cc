#include "model/ignored_tensors.h"

#include <gtest/gtest.h>

namespace trainyard::model {
namespace {

TEST(IgnoredTensorsTest, OnlyWhatCarriesNothingMayBeIgnored) {
  ModelConfig config;
  config.family = Family::kGpt2;
  EXPECT_TRUE(MayBeIgnored(config, "transformer.h.0.attn.bias"));
  EXPECT_TRUE(MayBeIgnored(config, "lm_head.weight"));
  EXPECT_FALSE(MayBeIgnored(config, "transformer.h.0.attn.c_attn.bias"));
  config.tied_head = false;
  EXPECT_FALSE(MayBeIgnored(config, "lm_head.weight"));
  config = ModelConfig();
  EXPECT_TRUE(MayBeIgnored(config, "model.layers.0.self_attn.rotary_emb.inv_freq"));
  EXPECT_FALSE(MayBeIgnored(config, "model.layers.0.self_attn.q_proj.bias"));
}

}  // namespace
}  // namespace trainyard::model
