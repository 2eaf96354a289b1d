// An immutable snapshot of a policy's weights, for rollout tasks to pull. Free of torch, protobuf
// and gRPC.

#ifndef TRAINYARD_WORKER_PUBLISHED_WEIGHTS_H_
#define TRAINYARD_WORKER_PUBLISHED_WEIGHTS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace trainyard::worker {

// Bytes that other processes of this host may map. They read under a shared flock(2) of the object,
// so that its owner can tell whether anybody still reads. A value with one owner; thread-safe once
// filled.
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

  // Until LetReadersIn nobody gets the lock under which it is read. False while somebody reads.
  bool KeepReadersOut();
  void LetReadersIn();

  char* data() const { return data_; }
  size_t size_bytes() const { return size_bytes_; }
  // For shm_open; empty: not shared.
  const std::string& name() const { return name_; }

 private:
  struct Object {
    std::string name;
    int file = -1;
    char* data = nullptr;
    size_t size_bytes = 0;
  };
  explicit SharedMemory(Object object)
      : name_(std::move(object.name)),
        file_(object.file),
        data_(object.data),
        size_bytes_(object.size_bytes) {}

  const std::string name_;
  const int file_;  // -1: not shared
  char* const data_;
  const size_t size_bytes_;
};

// Memory for one snapshot after the other: fresh pages cost more than the copy. Guarded.
class SnapshotMemory {
 public:
  // Memory of this size that only the caller holds and nobody reads: that of an earlier snapshot,
  // when all have let go of it, else new. Readers are kept out until the caller lets them in.
  // ResourceExhausted as SharedMemory::Create.
  absl::StatusOr<std::shared_ptr<SharedMemory>> Take(size_t size_bytes)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // The version that serves and the one on its way.
  static constexpr size_t kMostKept = 2;

  std::shared_ptr<SharedMemory> TakeKept(size_t size_bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Mutex mutex_;
  std::vector<std::shared_ptr<SharedMemory>> kept_ ABSL_GUARDED_BY(mutex_);  // oldest first
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
  std::shared_ptr<SharedMemory> memory;
  std::string config_json;
  std::string tokenizer_sha256;
  std::string digest;  // XXH3-128 over the tensors' checksums in order

  absl::string_view Bytes(const PublishedTensor& tensor) const {
    return absl::string_view(memory->data() + tensor.offset, tensor.size_bytes);
  }
};

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_PUBLISHED_WEIGHTS_H_
