#include "worker/policy_wire.h"

#include <gtest/gtest.h>

namespace trainyard::worker {
namespace {

TEST(PolicyWire, ProgressAndResultCarryEveryField) {
  const v1::UpdateProgress progress =
      ProgressToWire({.pass = 2, .minibatch = 7, .metrics = {{"clip_fraction", 0.25}}});
  EXPECT_EQ(progress.pass(), 2);
  EXPECT_EQ(progress.minibatch(), 7);
  EXPECT_EQ(progress.metrics().at("clip_fraction"), 0.25);
  const v1::UpdateResult result = ResultToWire({.iteration = 3,
                                                .version = 4,
                                                .metrics = {{"kl", 1.5}, {"reward", -2}},
                                                .weights_digest = "digest"});
  EXPECT_EQ(result.iteration(), 3);
  EXPECT_EQ(result.version(), 4);
  EXPECT_EQ(result.weights_digest(), "digest");
  EXPECT_EQ(result.metrics_size(), 2);
  EXPECT_EQ(result.metrics().at("reward"), -2);
}

TEST(PolicyWire, EachModelHasItsName) {
  EXPECT_EQ(*ModelFromWire(v1::POLICY), ScoredModel::kPolicy);
  EXPECT_EQ(*ModelFromWire(v1::REFERENCE), ScoredModel::kReference);
  EXPECT_EQ(*ModelFromWire(v1::CRITIC), ScoredModel::kCritic);
}

TEST(PolicyWire, AModelThatWasNotSaidOrIsNotKnownIsRefusedByItsNumber) {
  for (const int model : {0, 9}) {
    EXPECT_EQ(ModelFromWire(static_cast<v1::PolicyModel>(model)).status(),
              absl::InvalidArgumentError(
                  "model is " + std::to_string(model) + ", must be POLICY, REFERENCE or CRITIC"));
  }
}

TEST(PolicyWire, AManifestListsEachTensorWholeFromThisRank) {
  PublishedWeights weights;
  weights.version = 6;
  weights.config_json = "{}";
  weights.tokenizer_sha256 = "tokenizer";
  weights.digest = "digest";
  weights.tensors = {{.name = "a", .dtype = "BF16", .shape = {2, 3}, .xxh3 = "xa", .offset = 0,
                      .size_bytes = 12},
                     {.name = "b", .dtype = "F32", .shape = {5}, .xxh3 = "xb", .offset = 12,
                      .size_bytes = 20}};
  const v1::WeightsManifest manifest = ManifestToWire(weights, "host:1");
  EXPECT_EQ(manifest.version(), 6);
  EXPECT_EQ(manifest.base_version(), 6);
  EXPECT_EQ(manifest.form(), v1::WeightsManifest::FULL);
  ASSERT_EQ(manifest.sources_size(), 1);
  EXPECT_EQ(manifest.sources(0), "host:1");
  EXPECT_EQ(manifest.config_json(), "{}");
  EXPECT_EQ(manifest.tokenizer_hash(), "tokenizer");
  EXPECT_EQ(manifest.digest(), "digest");
  ASSERT_EQ(manifest.tensors_size(), 2);
  const v1::WeightsTensor& first = manifest.tensors(0);
  EXPECT_EQ(first.name(), "a");
  EXPECT_EQ(first.dtype(), "BF16");
  EXPECT_EQ(std::vector<int64_t>(first.shape().begin(), first.shape().end()),
            (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(first.xxh3(), "xa");
  const v1::WeightsTensor& second = manifest.tensors(1);
  ASSERT_EQ(second.pieces_size(), 1);
  EXPECT_EQ(second.pieces(0).offset(), 0) << "within the tensor, not in the memory";
  EXPECT_EQ(second.pieces(0).length(), 20);
  EXPECT_EQ(second.pieces(0).source_rank(), 0);
}

}  // namespace
}  // namespace trainyard::worker
