// Torch tensors to and from safetensors files.

#ifndef TRAINYARD_CHECKPOINT_TENSOR_IO_H_
#define TRAINYARD_CHECKPOINT_TENSOR_IO_H_

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "checkpoint/safetensors.h"

namespace trainyard::checkpoint {

struct NamedTensor {
  std::string name;
  at::Tensor tensor;
};

// InvalidArgument on a type that the other side does not have.
absl::StatusOr<DType> FromScalarType(at::ScalarType type);
at::ScalarType ToScalarType(DType dtype);

// Writes the tensors' values as they are now (copied to host and made contiguous where they are
// not). Errors as WriteSafetensors.
absl::StatusOr<FileRecord> WriteTensors(const std::string& path,
                                        const std::vector<NamedTensor>& tensors,
                                        const std::map<std::string, std::string>& metadata);

// A tensor of an open file as a copy on the host.
at::Tensor ReadTensor(const SafetensorsFile& file, const TensorEntry& entry);

// A tensor of an open file, and where it is to go: the same shape, any floating type and device.
struct TensorCopy {
  const SafetensorsFile* file = nullptr;
  const TensorEntry* entry = nullptr;
  at::Tensor target;
};

// Copies all of them, a few MiB at a time on at::get_num_threads() threads, and gives the files'
// memory back behind: a model is loaded in little more than its own size. No two targets overlap.
void CopyTensors(const std::vector<TensorCopy>& copies);

// All tensors of an open file as copies on the host, in the order of the file.
absl::StatusOr<std::vector<NamedTensor>> ReadTensors(const SafetensorsFile& file);

// Copies the tensors of `file` into those of the same name in `targets` (any device).
// InvalidArgument names every missing, extra, mis-shaped or differently typed one; then nothing was
// copied.
absl::Status ReadTensorsInto(const SafetensorsFile& file, const std::vector<NamedTensor>& targets);

// A copy of tensors in memory that is allocated and touched once, so that taking it costs a memcpy.
// Owned by one thread at a time: the training thread captures, hands it to the writer, and does not
// capture again before it is back.
class Snapshot {
 public:
  // Allocates (pinned where the tensors are on a GPU) for tensors of these shapes.
  explicit Snapshot(const std::vector<NamedTensor>& like);

  // Copies the current values. Names, shapes and types must be those of the constructor.
  void Capture(const std::vector<NamedTensor>& tensors);

  const std::vector<NamedTensor>& tensors() const { return tensors_; }
  size_t size_bytes() const;

 private:
  std::vector<NamedTensor> tensors_;
};

}  // namespace trainyard::checkpoint

#endif  // TRAINYARD_CHECKPOINT_TENSOR_IO_H_
