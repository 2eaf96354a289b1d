// An immutable snapshot of a policy's weights, for rollout tasks to pull. Free of torch, protobuf
// and gRPC.

#ifndef TRAINYARD_WORKER_PUBLISHED_WEIGHTS_H_
#define TRAINYARD_WORKER_PUBLISHED_WEIGHTS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trainyard::worker {

// Bytes that other processes of this host may map. A value with one owner; thread-safe once filled.
class SharedMemory {
 public:
  // A new object of POSIX shared memory (mode 0600) with its pages reserved; memory of this process
  // alone (empty name) where the host has no room for it. ResourceExhausted when there is neither.
  static absl::StatusOr<std::unique_ptr<SharedMemory>> Create(size_t size_bytes);
  ~SharedMemory();  // unlinks the name; mappings of others stay valid
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  // Removes what processes that are gone left behind in /dev/shm. Call once at start.
  static void RemoveStale();

  char* data() const { return data_; }
  size_t size_bytes() const { return size_bytes_; }
  // For shm_open; empty: not shared.
  const std::string& name() const { return name_; }

 private:
  SharedMemory(std::string name, char* data, size_t size_bytes)
      : name_(std::move(name)), data_(data), size_bytes_(size_bytes) {}

  const std::string name_;
  char* const data_;
  const size_t size_bytes_;
};

struct PublishedTensor {
  std::string name;   // Hugging Face parameter name
  std::string dtype;  // "F32", "BF16", "F64"
  std::vector<int64_t> shape;
  std::string xxh3;  // over its bytes
  size_t offset = 0;  // in the memory, back to back
  size_t size_bytes = 0;
};

struct PublishedWeights {
  int64_t version = 0;
  std::vector<PublishedTensor> tensors;
  std::unique_ptr<SharedMemory> memory;
  std::string config_json;
  std::string tokenizer_sha256;
  std::string digest;  // XXH3-128 over the tensors' checksums in order

  absl::string_view Bytes(const PublishedTensor& tensor) const {
    return absl::string_view(memory->data() + tensor.offset, tensor.size_bytes);
  }
};

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_PUBLISHED_WEIGHTS_H_
