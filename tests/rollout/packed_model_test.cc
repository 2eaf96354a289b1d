#include "rollout/packed_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <set>

#include "absl/strings/strip.h"
#include "tests/rollout/tiny_model.h"
#include "tests/support/process.h"

namespace trainyard::rollout {
namespace {

using ::testing::HasSubstr;

TEST(PackedModel, ADirectoryPacksLikeMemory) {
  for (const model::ModelConfig& config : {TinyLlama(), TinyGpt2()}) {
    const trainyard::testing::TempDir directory;
    WriteModelDirectory(config, 3, directory.path());
    const auto source = OpenModelDirectory(directory.path());
    ASSERT_TRUE(source.ok()) << source.status();
    const auto packed = PackModel(config, **source);
    ASSERT_TRUE(packed.ok()) << packed.status();
    const auto want = TinyPacked(config, 3);
    const auto& a = (*packed)->layers[1].down.matrix;
    const auto& b = want->layers[1].down.matrix;
    EXPECT_EQ(0, std::memcmp(a.panel(0), b.panel(0), a.panels() * a.inner() * 32 * sizeof(float)));
    EXPECT_EQ((*packed)->final_norm.weight, want->final_norm.weight);
  }
}

// A source whose tensors are narrowed to 16 bits, cut from those of another.
class NarrowWeights : public TensorSource {
 public:
  explicit NarrowWeights(const MemoryWeights& wide) {
    for (const auto& [name, tensor] : wide.tensors()) {
      std::string& bytes = bytes_[name];
      for (float value : tensor.values) {
        uint32_t bits;
        std::memcpy(&bits, &value, 4);
        bytes.append(reinterpret_cast<const char*>(&bits) + 2, 2);
      }
      shapes_[name] = tensor.shape;
    }
  }
  absl::StatusOr<TensorView> Find(const std::string& name) const override {
    if (bytes_.count(name) == 0) return absl::NotFoundError(name);
    return TensorView{checkpoint::DType::kBF16, shapes_.at(name), bytes_.at(name)};
  }
  std::vector<std::string> Names() const override {
    std::vector<std::string> names;
    for (const auto& [name, bytes] : bytes_) names.push_back(name);
    return names;
  }

 private:
  std::map<std::string, std::string> bytes_;
  std::map<std::string, std::vector<int64_t>> shapes_;
};

TEST(PackedModel, BF16IsWidenedExactly) {
  MemoryWeights wide(TinyLlama(), 1);
  for (auto& [name, tensor] : wide.tensors()) {
    for (float& value : tensor.values) {
      uint32_t bits;
      std::memcpy(&bits, &value, 4);
      bits &= 0xffff0000u;
      std::memcpy(&value, &bits, 4);
    }
  }
  const auto a = PackModel(TinyLlama(), wide), b = PackModel(TinyLlama(), NarrowWeights(wide));
  ASSERT_TRUE(a.ok() && b.ok());
  const auto& x = (*a)->lm_head.matrix;
  EXPECT_EQ(0, std::memcmp(x.panel(0), (*b)->lm_head.matrix.panel(0),
                           x.panels() * x.inner() * 32 * sizeof(float)));
}

// MemoryWeights in which `prefix` is left out of the names, and an account of what was given back.
class BareWeights : public TensorSource {
 public:
  BareWeights(const model::ModelConfig& config, const std::string& prefix) : weights_(config, 3) {
    std::map<std::string, MemoryWeights::Tensor> bare;
    for (auto& [name, tensor] : weights_.tensors()) {
      bare[std::string(absl::StripPrefix(name, prefix))] = std::move(tensor);
    }
    weights_.tensors() = std::move(bare);
  }
  absl::StatusOr<TensorView> Find(const std::string& name) const override {
    return weights_.Find(name);
  }
  std::vector<std::string> Names() const override { return weights_.Names(); }
  void Release(const std::string& name, absl::string_view bytes) const override {
    const absl::string_view all = weights_.tensors().at(name).bytes();
    EXPECT_GE(bytes.data(), all.data());
    EXPECT_LE(bytes.data() + bytes.size(), all.data() + all.size());
    const std::scoped_lock lock(mutex_);
    if (bytes.size() == all.size()) released_.insert(name);
  }
  const std::set<std::string>& released() const { return released_; }

 private:
  MemoryWeights weights_;
  mutable std::mutex mutex_;
  mutable std::set<std::string> released_;
};

bool SameMatrix(const kernels::PackedMatrix& a, const kernels::PackedMatrix& b) {
  return a.panels() == b.panels() && a.inner() == b.inner() &&
         std::memcmp(a.panel(0), b.panel(0), a.panels() * a.inner() * 32 * sizeof(float)) == 0;
}

// A vocabulary that takes several stripes.
model::ModelConfig WithManyTokens(model::ModelConfig config) {
  config.vocab_size = 9'001;
  return config;
}

TEST(PackedModel, NamesMayLackThePrefixOfTheBaseModel) {
  for (const model::ModelConfig& config : {TinyLlama(), TinyGpt2()}) {
    const bool gpt2 = config.family == model::Family::kGpt2;
    const auto packed =
        PackModel(config, BareWeights(config, gpt2 ? "transformer." : "model."));
    ASSERT_TRUE(packed.ok()) << packed.status();
    const auto want = TinyPacked(config, 3);
    EXPECT_TRUE(SameMatrix((*packed)->layers[1].qkv.matrix, want->layers[1].qkv.matrix));
    EXPECT_TRUE(SameMatrix((*packed)->lm_head.matrix, want->lm_head.matrix));
    EXPECT_EQ((*packed)->final_norm.weight, want->final_norm.weight);
  }
}

TEST(PackedModel, AnyNumberOfThreadsPacksTheSame) {
  for (model::ModelConfig config : {WithManyTokens(TinyLlama()), WithManyTokens(TinyGpt2())}) {
    for (const bool tied : {true, false}) {
      config.tied_head = tied;
      const MemoryWeights weights(config, 3);
      const auto one = PackModel(config, weights);
      const auto three = PackModel(config, weights, {.threads = 3});
      ASSERT_TRUE(one.ok() && three.ok()) << one.status() << three.status();
      EXPECT_TRUE(SameMatrix((*one)->lm_head.matrix, (*three)->lm_head.matrix));
      EXPECT_TRUE(SameMatrix((*one)->layers[0].up.matrix, (*three)->layers[0].up.matrix));
      EXPECT_EQ((*one)->token_embedding_VD, (*three)->token_embedding_VD);
      std::vector<float> row(config.width);
      (*three)->lm_head.matrix.CopyColumn(9'000, row.data());
      const auto& from = weights.tensors().at(
          !tied ? "lm_head.weight"
                : config.family == model::Family::kGpt2 ? "transformer.wte.weight"
                                                        : "model.embed_tokens.weight");
      EXPECT_TRUE(std::equal(row.begin(), row.end(), from.values.end() - config.width));
    }
  }
}

TEST(PackedModel, TheSourcesMemoryIsGivenBackTensorByTensor) {
  for (const model::ModelConfig& config : {WithManyTokens(TinyLlama()), TinyGpt2()}) {
    const BareWeights weights(config, "");
    ASSERT_TRUE(PackModel(config, weights, {.threads = 2}).ok());
    for (const std::string& name : weights.Names()) {
      EXPECT_TRUE(weights.released().count(name) == 1) << name;
    }
  }
}

TEST(PackedModel, WhatDoesNotFitIsNamed) {
  const auto message = [](auto change) {
    MemoryWeights weights(TinyLlama(), 1);
    change(weights.tensors());
    const auto packed = PackModel(TinyLlama(), weights);
    EXPECT_EQ(packed.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(packed.status().message());
  };
  EXPECT_THAT(message([](auto& t) { t.erase("model.layers.1.mlp.up_proj.weight"); }),
              HasSubstr("model.layers.1.mlp.up_proj.weight is missing"));
  EXPECT_THAT(message([](auto& t) { t["model.norm.weight"].shape = {47}; }),
              HasSubstr("model.norm.weight has shape [47], the config needs [48]"));
  EXPECT_THAT(message([](auto& t) { t["model.norm.weight"].values.pop_back(); }),
              HasSubstr("188 bytes"));
  EXPECT_THAT(message([](auto& t) {
                t["model.layers.0.self_attn.q_proj.bias"] = t["model.norm.weight"];
                t["model.layers.0.self_attn.rotary_emb.inv_freq"] = t["model.norm.weight"];
              }),
              HasSubstr("no part of this model: model.layers.0.self_attn.q_proj.bias"));
  model::ModelConfig reward = TinyLlama();
  reward.head = model::Head::kScalar;
  EXPECT_THAT(std::string(PackModel(reward, MemoryWeights(TinyLlama(), 1)).status().message()),
              HasSubstr("scalar head"));
}

TEST(PackedModel, ADirectoryWithoutWeightsSaysSo) {
  const trainyard::testing::TempDir directory;
  EXPECT_THAT(std::string(OpenModelDirectory(directory.path()).status().message()),
              HasSubstr("neither model.safetensors nor"));
}

}  // namespace
}  // namespace trainyard::rollout
