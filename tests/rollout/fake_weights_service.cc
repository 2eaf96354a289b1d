#include "tests/rollout/fake_weights_service.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/host_token.h"
#include "base/ids.h"
#include "base/status.h"

namespace trainyard::rollout {

FakeWeightsService::FakeWeightsService(Published published, bool shared)
    : published_(std::move(published)) {
  if (shared) {
    shm_name_ = absl::StrCat("/", RandomId("trainyard-test"));
    const int file = shm_open(shm_name_.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
    TY_CHECK(file >= 0 && ftruncate(file, published_.bytes.size()) == 0);
    void* memory = mmap(nullptr, published_.bytes.size(), PROT_READ | PROT_WRITE, MAP_SHARED,
                        file, 0);
    TY_CHECK(memory != MAP_FAILED);
    close(file);
    shared_ = static_cast<char*>(memory);
    std::memcpy(shared_, published_.bytes.data(), published_.bytes.size());
  }
  auto server = rpc::Server::Start({}, {this});
  TY_CHECK(server.ok());
  server_ = *std::move(server);
}

FakeWeightsService::~FakeWeightsService() {
  server_.reset();
  if (shared_ == nullptr) return;
  munmap(shared_, published_.bytes.size());
  shm_unlink(shm_name_.c_str());
}

v1::WeightsManifest FakeWeightsService::Manifest() const {
  v1::WeightsManifest wire;
  const WeightsManifest& manifest = published_.manifest;
  wire.set_version(manifest.version);
  wire.set_form(v1::WeightsManifest::FULL);
  wire.add_sources(endpoint());
  wire.set_config_json(manifest.config_json);
  wire.set_digest(manifest.digest);
  for (const PublishedTensor& tensor : manifest.tensors) {
    v1::WeightsTensor* to = wire.add_tensors();
    to->set_name(tensor.name);
    to->set_dtype(tensor.dtype);
    to->mutable_shape()->Add(tensor.shape.begin(), tensor.shape.end());
    to->set_xxh3(tensor.xxh3);
    to->add_pieces()->set_length(tensor.pieces[0].length);
  }
  return wire;
}

void FakeWeightsService::FlipByte(size_t offset) {
  published_.bytes[offset] ^= 1;
  if (shared_ != nullptr) shared_[offset] ^= 1;
}

std::unique_ptr<int, void (*)(int*)> FakeWeightsService::StartWriting() const {
  const auto close_file = [](int* file) {
    close(*file);
    delete file;
  };
  std::unique_ptr<int, void (*)(int*)> file(new int(shm_open(shm_name_.c_str(), O_RDWR, 0)),
                                            close_file);
  if (flock(*file, LOCK_EX | LOCK_NB) != 0) file.reset();
  return file;
}

grpc::Status FakeWeightsService::Fetch(grpc::ServerContext*,
                                       const v1::FetchWeightsRequest* request,
                                       grpc::ServerWriter<v1::WeightsChunk>* writer) {
  std::vector<int64_t> begins = {0};
  for (const PublishedTensor& tensor : published_.manifest.tensors) {
    begins.push_back(begins.back() + tensor.pieces[0].length);
  }
  for (const v1::WeightsRange& range : request->ranges()) {
    v1::WeightsChunk chunk;
    chunk.set_tensor(range.tensor());
    chunk.set_offset(range.offset());
    chunk.set_data(
        published_.bytes.substr(begins[range.tensor()] + range.offset(), range.length()));
    streamed_bytes_ += range.length();
    if (!writer->Write(chunk)) break;
  }
  return grpc::Status::OK;
}

grpc::Status FakeWeightsService::OpenShared(grpc::ServerContext*,
                                            const v1::OpenSharedRequest* request,
                                            v1::SharedWeights* response) {
  ++shared_calls_;
  const auto token = HostToken();
  if (shared_ == nullptr || !token.ok() || request->host_token() != *token) {
    return grpc::Status(grpc::StatusCode::NOT_FOUND, "nothing is shared with this host");
  }
  response->set_shm_name(shm_name_);
  response->set_size_bytes(static_cast<int64_t>(published_.bytes.size()));
  return grpc::Status::OK;
}

}  // namespace trainyard::rollout
