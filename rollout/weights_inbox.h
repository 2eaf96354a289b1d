// New weights on their way in: fetched, staged beside the live ones, verified, packed. The swap
// itself is the engine's. Free of protobuf and gRPC.

#ifndef TRAINYARD_ROLLOUT_WEIGHTS_INBOX_H_
#define TRAINYARD_ROLLOUT_WEIGHTS_INBOX_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "rollout/packed_model.h"

namespace trainyard::rollout {

// Mirrors weights.proto.
struct WeightsPiece {
  int64_t offset = 0;  // bytes within the tensor
  int64_t length = 0;
  int source_rank = 0;
};

struct PublishedTensor {
  std::string name;   // Hugging Face parameter name
  std::string dtype;  // as in safetensors
  std::vector<int64_t> shape;
  std::string xxh3;  // of the whole tensor's bytes, 32 hex digits
  std::vector<WeightsPiece> pieces;
};

struct WeightsManifest {
  int64_t version = 0;
  bool full = true;  // false: a form that is not supported
  std::vector<PublishedTensor> tensors;
  std::vector<std::string> sources;  // endpoints by rank
  std::string config_json;
  std::string tokenizer_hash;
  std::string digest;  // XXH3-128 of all tensors' xxh3, as hex text, one after the other
};

// A range of one tensor.
struct WeightsRange {
  int tensor = 0;  // index in the manifest
  int64_t offset = 0;
  int64_t length = 0;
};

// Where fetched bytes go. Fetchers call it in any order, from one thread.
class WeightsSink {
 public:
  virtual ~WeightsSink() = default;
  // InvalidArgument for bytes outside of what was asked.
  virtual absl::Status Put(int tensor, int64_t offset, absl::string_view bytes) = 0;
};

// All tensors of a version back to back in manifest order, as long as it lives.
class SharedBytes {
 public:
  virtual ~SharedBytes() = default;
  virtual absl::string_view bytes() const = 0;
};

// How bytes get here.
class WeightsFetcher {
 public:
  virtual ~WeightsFetcher() = default;
  // The version's memory, when it is on this host; null when it is not.
  virtual absl::StatusOr<std::unique_ptr<SharedBytes>> OpenShared(
      const WeightsManifest& manifest, absl::Time deadline) = 0;
  // Fetches ranges from one source. An error leaves open which bytes arrived.
  virtual absl::Status Fetch(const WeightsManifest& manifest, int source_rank,
                             absl::Span<const WeightsRange> ranges, WeightsSink& sink,
                             absl::Time deadline) = 0;
};

struct StagedWeights {
  std::shared_ptr<const PackedModel> model;
  absl::Duration fetch_time;   // until all bytes were here
  absl::Duration verify_time;  // checksums
  absl::Duration pack_time;
  int unchanged_tensors = 0;   // not fetched: the last version's bytes have the same checksum
};

// Turns manifests into packed models. Owned by one thread at a time.
class WeightsInbox {
 public:
  // `served` is the model served now; manifests of another configuration are refused, products
  // stay of its type. Its memory
  // takes a later version when nobody uses it any more.
  WeightsInbox(std::shared_ptr<PackedModel> served, std::string tokenizer_hash,
               const Clock& clock)
      : config_(served->config),
        products_(served->products),
        tokenizer_hash_(std::move(tokenizer_hash)),
        clock_(clock),
        models_({std::move(served)}) {}

  // Fetches, verifies and packs a version. FailedPrecondition names what does not fit (form,
  // configuration, tokenizer); DataLoss names the tensor whose bytes have another checksum;
  // InvalidArgument a manifest that contradicts itself; DeadlineExceeded and the fetcher's errors
  // name the source. Nothing changes for the live weights in any case.
  absl::StatusOr<StagedWeights> Stage(const WeightsManifest& manifest, WeightsFetcher& fetcher,
                                      absl::Time deadline);

 private:
  struct Buffer {
    std::string xxh3;
    std::string bytes;
  };
  using Buffers = std::map<std::string, std::shared_ptr<const Buffer>>;

  absl::Status CheckManifest(const WeightsManifest& manifest) const;
  absl::StatusOr<std::map<std::string, std::shared_ptr<Buffer>>> FetchChanged(
      const WeightsManifest& manifest, WeightsFetcher& fetcher, absl::Time deadline) const;

  // A model that only the inbox holds any more; null when all are in use.
  std::shared_ptr<PackedModel> TakeRetired();

  const model::ModelConfig config_;
  const kernels::WeightType products_;
  const std::string tokenizer_hash_;
  const Clock& clock_;
  std::vector<std::shared_ptr<PackedModel>> models_;  // in use, and one that may be free
  Buffers last_;  // of the last version that came by streams
};

// Bytes that a published tensor has. InvalidArgument for an unknown dtype or a negative size.
absl::StatusOr<int64_t> TensorBytes(const PublishedTensor& tensor);

}  // namespace trainyard::rollout

#endif  // TRAINYARD_ROLLOUT_WEIGHTS_INBOX_H_
