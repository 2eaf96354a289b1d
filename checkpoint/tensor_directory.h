// The tensors of a Hugging Face model directory, wherever they lie: in model.safetensors, or in the
// shards that model.safetensors.index.json lists. Mapped, not read. No torch.

#ifndef TRAINYARD_CHECKPOINT_TENSOR_DIRECTORY_H_
#define TRAINYARD_CHECKPOINT_TENSOR_DIRECTORY_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "checkpoint/safetensors.h"

namespace trainyard::checkpoint {

struct StoredTensor {
  const SafetensorsFile* file = nullptr;
  const TensorEntry* entry = nullptr;
  absl::string_view bytes() const { return file->Bytes(*entry); }
};

// Open files and what is in them. A value; the tensors live as long as it does.
struct TensorDirectory {
  std::vector<std::unique_ptr<SafetensorsFile>> files;
  std::map<std::string, StoredTensor> tensors;
};

// The single file goes before an index, as in transformers. NotFound when there is neither;
// DataLoss when a listed shard is not there; InvalidArgument names the index and the tensor for a
// file outside the directory, a tensor that is not in its shard or is in two, and what
// SafetensorsFile::Open refuses.
absl::StatusOr<TensorDirectory> OpenTensorDirectory(const std::string& directory);

}  // namespace trainyard::checkpoint

#endif  // TRAINYARD_CHECKPOINT_TENSOR_DIRECTORY_H_
