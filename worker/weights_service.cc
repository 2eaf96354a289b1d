#include "worker/weights_service.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/host_token.h"
#include "base/status.h"
#include "rpc/status.h"

namespace trainyard::worker {
namespace {

constexpr int64_t kChunkBytes = 1 << 20;  // measured: 4 MiB chunks are slower

absl::StatusOr<std::vector<v1::WeightsRange>> Ranges(const v1::FetchWeightsRequest& request,
                                                     const PublishedWeights& weights) {
  std::vector<v1::WeightsRange> ranges(request.ranges().begin(), request.ranges().end());
  const int64_t count = static_cast<int64_t>(weights.tensors.size());
  if (ranges.empty()) {
    for (int64_t i = 0; i < count; ++i) {
      ranges.emplace_back().set_tensor(static_cast<int32_t>(i));
      ranges.back().set_length(static_cast<int64_t>(weights.tensors[i].size_bytes));
    }
  }
  for (const v1::WeightsRange& range : ranges) {
    const bool known = range.tensor() >= 0 && range.tensor() < count;
    const int64_t size_bytes =
        known ? static_cast<int64_t>(weights.tensors[range.tensor()].size_bytes) : 0;
    if (known && range.offset() >= 0 && range.length() >= 0 &&
        range.offset() <= size_bytes - range.length()) {
      continue;
    }
    return absl::OutOfRangeError(absl::StrCat(range.length(), " bytes from ", range.offset(),
                                              " on of tensor ", range.tensor(), ", which has ",
                                              size_bytes, "; version ", weights.version, " has ",
                                              count, " tensors"));
  }
  return ranges;
}

}  // namespace

void PublishedVersions::Add(std::shared_ptr<const PublishedWeights> weights) {
  absl::MutexLock lock(&mutex_);
  versions_.emplace(weights->version, std::move(weights));
}

absl::StatusOr<std::shared_ptr<const PublishedWeights>> PublishedVersions::Find(
    int64_t version) const {
  absl::MutexLock lock(&mutex_);
  const auto found = versions_.find(version);
  if (found != versions_.end()) return found->second;
  return absl::NotFoundError(absl::StrCat(
      "policy version ", version, " is not published; published are: ",
      absl::StrJoin(versions_, " ", [](std::string* out, const auto& entry) {
        absl::StrAppend(out, entry.first);
      })));
}

void PublishedVersions::Release(int64_t version) {
  std::vector<std::shared_ptr<const PublishedWeights>> released;  // freed outside of the lock
  absl::MutexLock lock(&mutex_);
  const auto end = versions_.upper_bound(version);
  for (auto it = versions_.begin(); it != end; ++it) released.push_back(std::move(it->second));
  versions_.erase(versions_.begin(), end);
}

grpc::Status WeightsService::Fetch(grpc::ServerContext* context,
                                   const v1::FetchWeightsRequest* request,
                                   grpc::ServerWriter<v1::WeightsChunk>* writer) {
  const auto weights = versions_->Find(request->version());
  if (!weights.ok()) return rpc::ToGrpc(weights.status(), context);
  const auto ranges = Ranges(*request, **weights);
  if (!ranges.ok()) return rpc::ToGrpc(ranges.status(), context);
  v1::WeightsChunk chunk;
  for (const v1::WeightsRange& range : *ranges) {
    const absl::string_view bytes = (*weights)->Bytes((*weights)->tensors[range.tensor()]);
    for (int64_t done = 0; done < range.length(); done += kChunkBytes) {
      const int64_t size = std::min(kChunkBytes, range.length() - done);
      chunk.set_tensor(range.tensor());
      chunk.set_offset(range.offset() + done);
      chunk.set_data(bytes.data() + range.offset() + done, size);
      if (!writer->Write(chunk)) return grpc::Status::CANCELLED;
    }
  }
  return grpc::Status::OK;
}

grpc::Status WeightsService::OpenShared(grpc::ServerContext* context,
                                        const v1::OpenSharedRequest* request,
                                        v1::SharedWeights* response) {
  const auto weights = versions_->Find(request->version());
  if (!weights.ok()) return rpc::ToGrpc(weights.status(), context);
  const absl::StatusOr<std::string> mine = HostToken();
  if (!mine.ok() || *mine != request->host_token() || (*weights)->memory->name().empty()) {
    return rpc::ToGrpc(absl::NotFoundError("no memory is shared with the caller: fetch instead"),
                       context);
  }
  response->set_shm_name((*weights)->memory->name());
  response->set_size_bytes(static_cast<int64_t>((*weights)->memory->size_bytes()));
  return grpc::Status::OK;
}

}  // namespace trainyard::worker
