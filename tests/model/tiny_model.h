// Small models and packed rows for the tests of this directory.

#ifndef TRAINYARD_TESTS_MODEL_TINY_MODEL_H_
#define TRAINYARD_TESTS_MODEL_TINY_MODEL_H_

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"
#include "model/transformer.h"

namespace trainyard::model {

inline ModelConfig TinyConfig(Family family) {
  ModelConfig config;
  config.family = family;
  config.model_type = family == Family::kGpt2 ? "gpt2" : "llama";
  config.vocab_size = 96;
  config.width = 32;
  config.ffn_width = 48;
  config.layers = 2;
  config.heads = 4;
  config.kv_heads = family == Family::kGpt2 ? 4 : 2;
  config.head_width = 8;
  config.max_positions = 64;
  return config;
}

inline Model TinyModel(Family family, at::ScalarType dtype, Head head = Head::kLm) {
  ModelConfig config = TinyConfig(family);
  config.head = head;
  InitOptions options;
  options.seed = 17;
  options.dtype = dtype;
  options.standard_deviation = 0.2;
  return InitModel(config, options).value();
}

// Segments of the given lengths; the tokens of a segment depend on its length alone.
inline PackedTokens TinyRows(const ModelConfig& config, const std::vector<int64_t>& lengths) {
  std::vector<int32_t> ids;
  std::vector<int64_t> offsets = {0};
  for (const int64_t length : lengths) {
    const CounterRandom random(static_cast<uint64_t>(length));
    for (int64_t i = 0; i < length; ++i) {
      ids.push_back(static_cast<int32_t>(
          random.Below(static_cast<uint64_t>(config.vocab_size), static_cast<uint64_t>(i))));
    }
    offsets.push_back(offsets.back() + length);
  }
  return PackTokens(config, {ids, offsets, {}}, at::kCPU).value();
}

}  // namespace trainyard::model

#endif  // TRAINYARD_TESTS_MODEL_TINY_MODEL_H_
