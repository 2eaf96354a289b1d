#include "rollout/weights_client.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
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

constexpr size_t kMappedObjects = 2;  // a learner publishes in two by turns

}  // namespace

// An object of shared memory, mapped as long as this lives.
class WeightsClient::MappedObject {
 public:
  MappedObject(std::string name, int file, absl::string_view bytes)
      : name_(std::move(name)), file_(file), bytes_(bytes) {}
  ~MappedObject() {
    munmap(const_cast<char*>(bytes_.data()), bytes_.size());
    close(file_);
  }
  MappedObject(const MappedObject&) = delete;
  MappedObject& operator=(const MappedObject&) = delete;

  // Keeps the learner from writing. False while it does.
  bool Lock() { return flock(file_, LOCK_SH | LOCK_NB) == 0; }
  void Unlock() { flock(file_, LOCK_UN); }

  const std::string& name() const { return name_; }
  absl::string_view bytes() const { return bytes_; }

 private:
  const std::string name_;
  const int file_;
  const absl::string_view bytes_;
};

// Bytes of a mapped object that do not change as long as this lives.
class WeightsClient::LockedBytes : public SharedBytes {
 public:
  // `object` is locked.
  LockedBytes(std::shared_ptr<MappedObject> object, size_t size_bytes)
      : object_(std::move(object)), size_bytes_(size_bytes) {}
  ~LockedBytes() override { object_->Unlock(); }
  absl::string_view bytes() const override { return object_->bytes().substr(0, size_bytes_); }

 private:
  const std::shared_ptr<MappedObject> object_;
  const size_t size_bytes_;
};

absl::StatusOr<std::shared_ptr<WeightsClient::MappedObject>> WeightsClient::Map(
    const std::string& name, size_t size_bytes) {
  for (const auto& object : mapped_) {
    if (object->name() == name && object->bytes().size() >= size_bytes) return object;
  }
  const int file = shm_open(name.c_str(), O_RDONLY | O_CLOEXEC, 0);
  if (file < 0) return ErrnoStatus(errno, absl::StrCat("shm_open ", name));
  absl::Cleanup close_file = [file] { close(file); };
  struct stat found;
  if (fstat(file, &found) != 0) return ErrnoStatus(errno, name);
  if (size_bytes == 0 || found.st_size < static_cast<int64_t>(size_bytes)) {
    return absl::DataLossError(absl::StrCat("shared memory ", name, " has ", found.st_size,
                                            " bytes, not ", size_bytes));
  }
  void* memory = mmap(nullptr, size_bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, file, 0);
  if (memory == MAP_FAILED) return ErrnoStatus(errno, absl::StrCat("mmap ", name));
  std::move(close_file).Cancel();
  if (mapped_.size() == kMappedObjects) mapped_.erase(mapped_.begin());
  mapped_.push_back(std::make_shared<MappedObject>(
      name, file, absl::string_view(static_cast<const char*>(memory), size_bytes)));
  return mapped_.back();
}

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
  const size_t size_bytes = std::max<int64_t>(0, shared->size_bytes());
  const auto mapped = Map(shared->shm_name(), size_bytes);
  // The name may be gone or not ours to read: the stream still works.
  if (absl::IsNotFound(mapped.status()) || absl::IsPermissionDenied(mapped.status())) {
    return nullptr;
  }
  TY_RETURN_IF_ERROR(mapped.status());
  // Being written: the version was released meanwhile, and the stream will say so.
  if (!(*mapped)->Lock()) return nullptr;
  return std::make_unique<LockedBytes>(*mapped, size_bytes);
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
