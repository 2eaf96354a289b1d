// A reward model small enough for a unit test.

#ifndef TRAINYARD_TESTS_REWARD_SERVICE_TINY_REWARD_MODEL_H_
#define TRAINYARD_TESTS_REWARD_SERVICE_TINY_REWARD_MODEL_H_

#include <gtest/gtest.h>

#include <string>

#include "model/weights.h"

namespace trainyard::reward_service {

// Vocabulary 61, context 64, tokenizer "mine", scores of mean 0.5 and deviation 2.
inline void WriteTinyRewardModel(const std::string& directory) {
  model::ModelConfig config;
  config.head = model::Head::kScalar;
  config.vocab_size = 61;
  config.width = 64;
  config.ffn_width = 128;
  config.layers = 2;
  config.heads = config.kv_heads = 4;
  config.head_width = 16;
  config.max_positions = 64;
  model::SaveOptions save;
  save.card.tokenizer_sha256 = "mine";
  save.card.normalisation = {.mean = 0.5, .deviation = 2, .samples = 10};
  const auto model = model::InitModel(config, {.seed = 3, .standard_deviation = 0.3});
  ASSERT_TRUE(model.ok());
  ASSERT_TRUE(model::SaveModel(*model, directory, save).ok());
}

}  // namespace trainyard::reward_service

#endif  // TRAINYARD_TESTS_REWARD_SERVICE_TINY_REWARD_MODEL_H_
