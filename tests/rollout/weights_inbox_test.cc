#include "rollout/weights_inbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/checksum.h"
#include "tests/rollout/tiny_model.h"

namespace trainyard::rollout {
namespace {

using testing::HasSubstr;

class CopiedBytes : public SharedBytes {
 public:
  explicit CopiedBytes(std::string bytes) : bytes_(std::move(bytes)) {}
  absl::string_view bytes() const override { return bytes_; }

 private:
  const std::string bytes_;
};

// Serves a published version from memory, shared or in chunks of 1,000 bytes.
class MemoryFetcher : public WeightsFetcher {
 public:
  MemoryFetcher(const Published& published, bool shared)
      : bytes_(published.bytes), shared_(shared) {}

  absl::StatusOr<std::unique_ptr<SharedBytes>> OpenShared(const WeightsManifest&,
                                                          absl::Time) override {
    if (!shared_) return nullptr;
    return std::make_unique<CopiedBytes>(bytes_);
  }

  absl::Status Fetch(const WeightsManifest& manifest, int, absl::Span<const WeightsRange> ranges,
                     WeightsSink& sink, absl::Time) override {
    std::vector<int64_t> begins = {0};
    for (const PublishedTensor& tensor : manifest.tensors) {
      begins.push_back(begins.back() + *TensorBytes(tensor));
    }
    for (const WeightsRange& range : ranges) {
      for (int64_t at = 0; at < range.length; at += 1000) {
        const int64_t size = std::min<int64_t>(1000, range.length - at);
        fetched_bytes += size;
        if (fetched_bytes > stop_after_bytes) return absl::OkStatus();
        const absl::Status put = sink.Put(
            range.tensor, range.offset + at,
            absl::string_view(bytes_).substr(begins[range.tensor] + range.offset + at, size));
        if (!put.ok()) return put;
      }
    }
    return absl::OkStatus();
  }

  std::string& bytes() { return bytes_; }
  int64_t fetched_bytes = 0;
  int64_t stop_after_bytes = int64_t{1} << 40;

 private:
  std::string bytes_;
  const bool shared_;
};

class WeightsInboxTest : public testing::TestWithParam<bool> {
 protected:
  absl::StatusOr<StagedWeights> Stage(const WeightsManifest& manifest, MemoryFetcher& fetcher) {
    return inbox_.Stage(manifest, fetcher, absl::InfiniteFuture());
  }
  WeightsInbox inbox_{*PackModel(TinyLlama(), MemoryWeights(TinyLlama(), 1)), "hash",
                      Clock::Real()};
};

TEST_P(WeightsInboxTest, StagedWeightsAreThePublishedOnes) {
  const Published published = Publish(TinyLlama(), 4, 7);
  MemoryFetcher fetcher(published, GetParam());
  const auto staged = Stage(published.manifest, fetcher);
  ASSERT_TRUE(staged.ok()) << staged.status();
  EXPECT_EQ(staged->model->version, 7);
  EXPECT_EQ(staged->model->digest, published.manifest.digest);
  const auto want = TinyPacked(TinyLlama(), 4);
  for (int64_t layer = 0; layer < 2; ++layer) {
    const auto& found = staged->model->layers[layer].qkv.matrix;
    const float* expected = want->layers[layer].qkv.matrix.panel(0);
    EXPECT_TRUE(std::equal(expected, expected + found.panels() * found.inner() * 32,
                           found.panel(0)));
  }
}

TEST_P(WeightsInboxTest, AFlippedByteIsDataLossThatNamesTheTensor) {
  const Published published = Publish(TinyLlama(), 4, 7);
  MemoryFetcher fetcher(published, GetParam());
  fetcher.bytes()[published.bytes.size() / 2] ^= 1;
  const auto staged = Stage(published.manifest, fetcher);
  EXPECT_EQ(staged.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(staged.status().message()), HasSubstr("tensor model."));
  fetcher.bytes()[published.bytes.size() / 2] ^= 1;
  EXPECT_TRUE(Stage(published.manifest, fetcher).ok());
}

INSTANTIATE_TEST_SUITE_P(Ways, WeightsInboxTest, testing::Bool(), [](const auto& way) {
  return way.param ? "shared" : "streamed";
});

TEST_F(WeightsInboxTest, OnlyTensorsWithAnotherChecksumAreFetchedAgain) {
  const Published first = Publish(TinyLlama(), 4, 1);
  MemoryFetcher fetcher(first, false);
  ASSERT_TRUE(Stage(first.manifest, fetcher).ok());
  EXPECT_EQ(fetcher.fetched_bytes, static_cast<int64_t>(first.bytes.size()));

  Published second = first;
  second.manifest.version = 2;
  const Published other = Publish(TinyLlama(), 5, 2);
  second.manifest.tensors[0].xxh3 = other.manifest.tensors[0].xxh3;
  std::string checksums;
  for (const auto& tensor : second.manifest.tensors) checksums += tensor.xxh3;
  second.manifest.digest = Xxh3Hex(checksums);
  const int64_t changed = *TensorBytes(second.manifest.tensors[0]);
  second.bytes.replace(0, changed, other.bytes, 0, changed);
  MemoryFetcher next(second, false);
  const auto staged = Stage(second.manifest, next);
  ASSERT_TRUE(staged.ok()) << staged.status();
  EXPECT_EQ(next.fetched_bytes, changed);
  EXPECT_EQ(staged->unchanged_tensors + 1u, second.manifest.tensors.size());
}

TEST_F(WeightsInboxTest, StagedWeightsKeepTheServedComputeType) {
  WeightsInbox inbox(*PackModel(TinyLlama(), MemoryWeights(TinyLlama(), 1),
                                {.products = kernels::WeightType::kBf16}),
                     "hash", Clock::Real());
  const Published published = Publish(TinyLlama(), 4, 7);
  MemoryFetcher fetcher(published, true);
  const auto staged = inbox.Stage(published.manifest, fetcher, absl::InfiniteFuture());
  ASSERT_TRUE(staged.ok()) << staged.status();
  EXPECT_EQ(staged->model->products, kernels::WeightType::kBf16);
  EXPECT_EQ(staged->model->lm_head.matrix.type(), kernels::WeightType::kBf16);
}

TEST_F(WeightsInboxTest, MemoryIsUsedAgainOnlyWhenNobodyReadsIt) {
  const Published published = Publish(TinyLlama(), 4, 1);
  MemoryFetcher fetcher(published, true);
  auto first = Stage(published.manifest, fetcher);  // into the memory of the model served before
  ASSERT_TRUE(first.ok());
  const float* memory = first->model->lm_head.matrix.panel(0);
  const auto second = Stage(published.manifest, fetcher);  // while `first` is in use
  ASSERT_TRUE(second.ok());
  EXPECT_NE(second->model->lm_head.matrix.panel(0), memory);
  first = absl::CancelledError("swapped out");
  const auto third = Stage(published.manifest, fetcher);
  ASSERT_TRUE(third.ok());
  EXPECT_EQ(third->model->lm_head.matrix.panel(0), memory);
}

TEST_F(WeightsInboxTest, AStreamThatEndsEarlyIsDataLoss) {
  const Published published = Publish(TinyLlama(), 4, 7);
  MemoryFetcher fetcher(published, false);
  fetcher.stop_after_bytes = 20000;
  const auto staged = Stage(published.manifest, fetcher);
  EXPECT_EQ(staged.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(staged.status().message()), HasSubstr("bytes arrived"));
}

TEST_F(WeightsInboxTest, ManifestsThatDoNotFitAreRefusedByName) {
  const Published published = Publish(TinyLlama(), 4, 7);
  MemoryFetcher fetcher(published, true);
  const auto refused = [&](auto change) {
    WeightsManifest manifest = published.manifest;
    change(manifest);
    const absl::Status status = Stage(manifest, fetcher).status();
    EXPECT_FALSE(status.ok());
    return std::string(status.message());
  };
  EXPECT_THAT(refused([](auto& m) { m.full = false; }), HasSubstr("not published in full"));
  EXPECT_THAT(refused([](auto& m) { m.tokenizer_hash = "other"; }), HasSubstr("tokenizer other"));
  EXPECT_THAT(refused([](auto& m) { m.digest = "0"; }), HasSubstr("digest"));
  EXPECT_THAT(refused([](auto& m) { m.tensors[0].pieces[0].length -= 4; }), HasSubstr("cover"));
  EXPECT_THAT(refused([](auto& m) { m.tensors[0].pieces[0].source_rank = 1; }),
              HasSubstr("source rank 1"));
  EXPECT_THAT(refused([](auto& m) { m.tensors[0].dtype = "I8X"; }), HasSubstr("I8X"));
  EXPECT_THAT(refused([](auto& m) { m.tensors[0].shape[0] = -1; }), HasSubstr("impossible"));
  EXPECT_THAT(refused([](auto& m) {
                m.config_json = model::ConfigJson(TinyGpt2(), "float32").dump();
              }),
              HasSubstr("configuration"));
}

}  // namespace
}  // namespace trainyard::rollout
