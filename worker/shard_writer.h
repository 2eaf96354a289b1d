// Writes this rank's share of a checkpoint behind the back of training: a copy of the tensors is
// taken at once (a memcpy into memory that is there already), the file is written from the copy.
// It knows neither manifests nor commits. The PPO learner uses it too.

#ifndef TRAINYARD_WORKER_SHARD_WRITER_H_
#define TRAINYARD_WORKER_SHARD_WRITER_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/tensor_io.h"
#include "worker/background.h"
#include "worker/named_tensor.h"

namespace trainyard::worker {

// The part of `tensors`, which all ranks hold alike, that `rank` writes: a contiguous run of about
// 1/world_size of the bytes. The parts of all ranks are all of it.
NamedTensors ShareOf(const NamedTensors& tensors, int rank, int world_size);

// "state-00000-of-00002.safetensors"
std::string ShardFileName(int rank, int world_size);

// Copies the tensors of all `files` into those of the same names in `targets`. InvalidArgument
// names a tensor that no file has, or that is not wanted or has another shape. Any number of files:
// a checkpoint of one world size loads at another.
absl::Status ReadShards(const std::vector<std::string>& files, const NamedTensors& targets);

// Owned by the training thread; has one thread of its own.
class ShardWriter {
 public:
  // Allocates the copy of `share`, whose tensors outlive the writer.
  explicit ShardWriter(NamedTensors share);

  // Takes the copy and starts to write it to `directory`, which it makes. One at a time: the result
  // of the former must have been fetched.
  absl::Status Start(const std::string& directory, const std::string& file_name);

  bool busy() const { return background_.busy(); }

  // The record of the file, or why it could not be written (ResourceExhausted: no space). Nothing
  // when `timeout` ran out.
  std::optional<absl::StatusOr<checkpoint::FileRecord>> Fetch(absl::Duration timeout) {
    return background_.Fetch(timeout);
  }

 private:
  const NamedTensors share_;
  checkpoint::Snapshot snapshot_;
  Background<checkpoint::FileRecord> background_;  // last: its work reads the snapshot
};

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_SHARD_WRITER_H_
