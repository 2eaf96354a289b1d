#include "rollout/weights_client.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status.h"
#include "rpc/call.h"
#include "rpc/channel.h"
#include "rpc/status.h"
#include "trainyard/v1/weights.grpc.pb.h"

namespace trainyard::rollout {
namespace {

class MappedBytes : public SharedBytes {
 public:
  explicit MappedBytes(absl::string_view bytes) : bytes_(bytes) {}
  ~MappedBytes() override { munmap(const_cast<char*>(bytes_.data()), bytes_.size()); }
  absl::string_view bytes() const override { return bytes_; }

 private:
  const absl::string_view bytes_;
};

absl::StatusOr<std::unique_ptr<SharedBytes>> Map(const v1::SharedWeights& shared) {
  const int file = shm_open(shared.shm_name().c_str(), O_RDONLY | O_CLOEXEC, 0);
  if (file < 0) return ErrnoStatus(errno, absl::StrCat("shm_open ", shared.shm_name()));
  const absl::Cleanup close_file = [file] { close(file); };
  struct stat found;
  if (fstat(file, &found) != 0) return ErrnoStatus(errno, shared.shm_name());
  if (shared.size_bytes() <= 0 || found.st_size < shared.size_bytes()) {
    return absl::DataLossError(absl::StrCat("shared memory ", shared.shm_name(), " has ",
                                            found.st_size, " bytes, not ", shared.size_bytes()));
  }
  void* memory = mmap(nullptr, shared.size_bytes(), PROT_READ, MAP_SHARED | MAP_POPULATE, file, 0);
  if (memory == MAP_FAILED) return ErrnoStatus(errno, absl::StrCat("mmap ", shared.shm_name()));
  return std::make_unique<MappedBytes>(
      absl::string_view(static_cast<const char*>(memory), shared.size_bytes()));
}

}  // namespace

std::shared_ptr<grpc::Channel> WeightsClient::ChannelTo(const std::string& endpoint) {
  std::shared_ptr<grpc::Channel>& channel = channels_[endpoint];
  if (channel == nullptr) channel = rpc::OpenChannel(endpoint, {.own_connection = true});
  return channel;
}

absl::StatusOr<std::unique_ptr<SharedBytes>> WeightsClient::OpenShared(
    const WeightsManifest& manifest, absl::Time deadline) {
  if (manifest.sources.size() != 1 || options_.host_token.empty()) return nullptr;
  const auto stub = v1::WeightsService::NewStub(ChannelTo(manifest.sources[0]));
  v1::OpenSharedRequest request;
  request.set_version(manifest.version);
  request.set_host_token(options_.host_token);
  rpc::CallOptions options;
  options.timeout = deadline - absl::Now();
  options.fence = options_.fence;
  options.retries = 3;
  const auto shared = rpc::Call(*stub, &v1::WeightsService::Stub::OpenShared, request, options);
  if (absl::IsNotFound(shared.status())) return nullptr;
  TY_RETURN_IF_ERROR(Annotate(shared.status(), absl::StrCat("weights of version ",
                                                            manifest.version, " at ",
                                                            manifest.sources[0])));
  auto mapped = Map(*shared);
  // The name may be gone or not ours to read: the stream still works.
  if (absl::IsNotFound(mapped.status()) || absl::IsPermissionDenied(mapped.status())) {
    return nullptr;
  }
  return mapped;
}

absl::Status WeightsClient::Fetch(const WeightsManifest& manifest, int source_rank,
                                  absl::Span<const WeightsRange> ranges, WeightsSink& sink,
                                  absl::Time deadline) {
  const auto stub = v1::WeightsService::NewStub(ChannelTo(manifest.sources[source_rank]));
  v1::FetchWeightsRequest request;
  request.set_version(manifest.version);
  for (const WeightsRange& range : ranges) {
    v1::WeightsRange* wire = request.add_ranges();
    wire->set_tensor(range.tensor);
    wire->set_offset(range.offset);
    wire->set_length(range.length);
  }
  grpc::ClientContext context;
  rpc::CallOptions options;
  options.timeout = deadline - absl::Now();
  options.fence = options_.fence;
  rpc::PrepareContext(options, &context);
  const auto reader = stub->Fetch(&context, request);
  v1::WeightsChunk chunk;
  absl::Status refused;
  while (refused.ok() && reader->Read(&chunk)) {
    refused = sink.Put(chunk.tensor(), chunk.offset(), chunk.data());
  }
  if (!refused.ok()) context.TryCancel();
  const grpc::Status finished = reader->Finish();
  return refused.ok() ? rpc::FromGrpc(finished, context) : refused;
}

}  // namespace trainyard::rollout
