#include "rollout/weights_inbox.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/json.h"
#include "base/status.h"

namespace trainyard::rollout {
namespace {

class ViewSource : public TensorSource {
 public:
  absl::Status Add(const PublishedTensor& tensor, absl::string_view bytes) {
    TY_ASSIGN_OR_RETURN(const checkpoint::DType dtype, checkpoint::ParseDType(tensor.dtype));
    views_[tensor.name] = {dtype, tensor.shape, bytes};
    return absl::OkStatus();
  }

  absl::StatusOr<TensorView> Find(const std::string& name) const override {
    const auto found = views_.find(name);
    if (found == views_.end()) return absl::NotFoundError(absl::StrCat("no tensor ", name));
    return found->second;
  }

  std::vector<std::string> Names() const override {
    std::vector<std::string> names;
    for (const auto& [name, view] : views_) names.push_back(name);
    return names;
  }

 private:
  std::map<std::string, TensorView> views_;
};

absl::Status Verify(const WeightsManifest& manifest, const PublishedTensor& tensor,
                    absl::string_view bytes) {
  const std::string found = Xxh3Hex(bytes);
  if (found == tensor.xxh3) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("policy version ", manifest.version, ": tensor ",
                                          tensor.name, " (", bytes.size(), " bytes) has checksum ",
                                          found, ", the manifest says ", tensor.xxh3,
                                          ": the old version keeps serving; fetch it again"));
}

// Copies what arrives into its tensor and counts it.
class BufferSink : public WeightsSink {
 public:
  explicit BufferSink(std::vector<std::string*> buffers)
      : buffers_(std::move(buffers)), received_(buffers_.size()) {}

  absl::Status Put(int tensor, int64_t offset, absl::string_view bytes) override {
    const int64_t size = static_cast<int64_t>(bytes.size());
    const bool wanted =
        tensor >= 0 && tensor < static_cast<int>(buffers_.size()) && buffers_[tensor] != nullptr;
    if (!wanted || offset < 0 ||
        offset + size > static_cast<int64_t>(buffers_[tensor]->size())) {
      return absl::InvalidArgumentError(
          absl::StrCat("the source sent ", size, " bytes at offset ", offset, " of tensor ",
                       tensor, ", which were not asked for"));
    }
    std::memcpy(buffers_[tensor]->data() + offset, bytes.data(), bytes.size());
    received_[tensor] += size;
    return absl::OkStatus();
  }

  int64_t received(int tensor) const { return received_[tensor]; }

 private:
  std::vector<std::string*> buffers_;  // by tensor; null: not asked for
  std::vector<int64_t> received_;
};

// Pieces must cover the tensor exactly once, and come from sources that exist.
absl::Status CheckPieces(const WeightsManifest& manifest, const PublishedTensor& tensor) {
  TY_ASSIGN_OR_RETURN(const int64_t size, TensorBytes(tensor));
  std::vector<WeightsPiece> pieces = tensor.pieces;
  std::sort(pieces.begin(), pieces.end(),
            [](const WeightsPiece& a, const WeightsPiece& b) { return a.offset < b.offset; });
  int64_t end = 0;
  for (const WeightsPiece& piece : pieces) {
    if (piece.offset != end || piece.length <= 0) break;
    if (piece.source_rank < 0 || piece.source_rank >= static_cast<int>(manifest.sources.size())) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor ", tensor.name, " has a piece at source rank ", piece.source_rank,
                       ", the manifest lists ", manifest.sources.size(), " sources"));
    }
    end += piece.length;
  }
  if (end == size) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("pieces of tensor ", tensor.name,
                                                 " do not cover its ", size,
                                                 " bytes exactly once"));
}

absl::StatusOr<ViewSource> SharedViews(const WeightsManifest& manifest, absl::string_view bytes) {
  ViewSource source;
  size_t offset = 0;
  for (const PublishedTensor& tensor : manifest.tensors) {
    TY_ASSIGN_OR_RETURN(const int64_t size, TensorBytes(tensor));
    if (offset + size > bytes.size()) {
      return absl::DataLossError(absl::StrCat("shared memory of policy version ", manifest.version,
                                              " has ", bytes.size(), " bytes, tensor ",
                                              tensor.name, " ends at ", offset + size));
    }
    const absl::string_view view = bytes.substr(offset, size);
    TY_RETURN_IF_ERROR(Verify(manifest, tensor, view));
    TY_RETURN_IF_ERROR(source.Add(tensor, view));
    offset += size;
  }
  return source;
}

}  // namespace

absl::StatusOr<int64_t> TensorBytes(const PublishedTensor& tensor) {
  TY_ASSIGN_OR_RETURN(const checkpoint::DType dtype, checkpoint::ParseDType(tensor.dtype));
  int64_t bytes = static_cast<int64_t>(checkpoint::DTypeSizeBytes(dtype));
  for (int64_t size : tensor.shape) {
    if (size <= 0 || __builtin_mul_overflow(bytes, size, &bytes)) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor ", tensor.name, " has an impossible size ", size));
    }
  }
  return bytes;
}

absl::Status WeightsInbox::CheckManifest(const WeightsManifest& manifest) const {
  const std::string name = absl::StrCat("policy version ", manifest.version);
  if (!manifest.full) {
    return absl::FailedPreconditionError(
        absl::StrCat(name, " is not published in full; deltas are not supported"));
  }
  if (!tokenizer_hash_.empty() && !manifest.tokenizer_hash.empty() &&
      manifest.tokenizer_hash != tokenizer_hash_) {
    return absl::FailedPreconditionError(
        absl::StrCat(name, " was made with tokenizer ", manifest.tokenizer_hash,
                     ", this server has ", tokenizer_hash_));
  }
  std::string checksums;
  for (const PublishedTensor& tensor : manifest.tensors) {
    TY_RETURN_IF_ERROR(CheckPieces(manifest, tensor));
    checksums += tensor.xxh3;
  }
  if (Xxh3Hex(checksums) != manifest.digest) {
    return absl::InvalidArgumentError(absl::StrCat(
        name, ": the digest ", manifest.digest, " is not that of its tensors' checksums"));
  }
  TY_ASSIGN_OR_RETURN(const Json json, ParseJson(manifest.config_json, name + " config"));
  TY_ASSIGN_OR_RETURN(const model::ParsedConfig parsed, model::ParseConfig(json, name + " config"));
  if (!model::SameComputation(parsed.config, config_)) {
    return absl::FailedPreconditionError(
        absl::StrCat(name, " has another model configuration than the one served"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::map<std::string, std::shared_ptr<WeightsInbox::Buffer>>>
WeightsInbox::FetchChanged(const WeightsManifest& manifest, WeightsFetcher& fetcher,
                           absl::Time deadline) const {
  std::map<std::string, std::shared_ptr<Buffer>> fetched;
  std::vector<std::string*> buffers(manifest.tensors.size(), nullptr);
  std::vector<std::vector<WeightsRange>> ranges(manifest.sources.size());
  for (size_t i = 0; i < manifest.tensors.size(); ++i) {
    const PublishedTensor& tensor = manifest.tensors[i];
    const auto known = last_.find(tensor.name);
    if (known != last_.end() && known->second->xxh3 == tensor.xxh3) continue;
    TY_ASSIGN_OR_RETURN(const int64_t size, TensorBytes(tensor));
    auto buffer = std::make_shared<Buffer>(Buffer{tensor.xxh3, std::string(size, '\0')});
    buffers[i] = &buffer->bytes;
    fetched[tensor.name] = std::move(buffer);
    for (const WeightsPiece& piece : tensor.pieces) {
      ranges[piece.source_rank].push_back({static_cast<int>(i), piece.offset, piece.length});
    }
  }
  BufferSink sink(buffers);
  for (size_t rank = 0; rank < ranges.size(); ++rank) {
    if (ranges[rank].empty()) continue;
    const absl::Status status =
        fetcher.Fetch(manifest, static_cast<int>(rank), ranges[rank], sink, deadline);
    TY_RETURN_IF_ERROR(Annotate(status, absl::StrCat("fetching policy version ", manifest.version,
                                                     " from rank ", rank, " at ",
                                                     manifest.sources[rank])));
  }
  for (size_t i = 0; i < buffers.size(); ++i) {
    if (buffers[i] == nullptr || sink.received(i) == static_cast<int64_t>(buffers[i]->size())) {
      continue;
    }
    return absl::DataLossError(absl::StrCat(
        "policy version ", manifest.version, ": of tensor ", manifest.tensors[i].name, " ",
        sink.received(i), " of ", buffers[i]->size(), " bytes arrived"));
  }
  return fetched;
}

std::shared_ptr<PackedModel> WeightsInbox::TakeRetired() {
  for (auto it = models_.begin(); it != models_.end(); ++it) {
    if (it->use_count() > 1) continue;
    // The engine's thread let go of it: what it read happened before what is written now.
    std::atomic_thread_fence(std::memory_order_acquire);
    std::shared_ptr<PackedModel> retired = std::move(*it);
    models_.erase(it);
    return retired;
  }
  return nullptr;
}

absl::StatusOr<StagedWeights> WeightsInbox::Stage(const WeightsManifest& manifest,
                                                  WeightsFetcher& fetcher, absl::Time deadline) {
  TY_RETURN_IF_ERROR(CheckManifest(manifest));
  StagedWeights staged;
  const absl::Duration begin = clock_.Monotonic();
  TY_ASSIGN_OR_RETURN(const auto shared, fetcher.OpenShared(manifest, deadline));
  ViewSource source;
  Buffers next;
  absl::Duration fetched_at;
  if (shared != nullptr) {
    fetched_at = clock_.Monotonic();
    TY_ASSIGN_OR_RETURN(source, SharedViews(manifest, shared->bytes()));
  } else {
    TY_ASSIGN_OR_RETURN(const auto fetched, FetchChanged(manifest, fetcher, deadline));
    fetched_at = clock_.Monotonic();
    for (const PublishedTensor& tensor : manifest.tensors) {
      const auto fresh = fetched.find(tensor.name);
      if (fresh == fetched.end()) {
        next[tensor.name] = last_.at(tensor.name);
        ++staged.unchanged_tensors;
      } else {
        TY_RETURN_IF_ERROR(Verify(manifest, tensor, fresh->second->bytes));
        next[tensor.name] = fresh->second;
      }
      TY_RETURN_IF_ERROR(source.Add(tensor, next[tensor.name]->bytes));
    }
  }
  const absl::Duration verified_at = clock_.Monotonic();
  TY_ASSIGN_OR_RETURN(std::shared_ptr<PackedModel> model,
                      PackModel(config_, source, {products_, TakeRetired()}));
  models_.push_back(model);
  model->version = manifest.version;
  model->digest = manifest.digest;
  staged.model = std::move(model);
  staged.fetch_time = fetched_at - begin;
  staged.verify_time = verified_at - fetched_at;
  staged.pack_time = clock_.Monotonic() - verified_at;
  last_ = std::move(next);
  return staged;
}

}  // namespace trainyard::rollout
