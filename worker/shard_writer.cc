#include "worker/shard_writer.h"

#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "checkpoint/store.h"
#include "model/catch_torch.h"

namespace trainyard::worker {

NamedTensors ShareOf(const NamedTensors& tensors, int rank, int world_size) {
  int64_t total_bytes = 0;
  for (const NamedTensor& tensor : tensors) total_bytes += tensor.tensor.nbytes();
  NamedTensors share;
  int64_t before_bytes = 0;
  for (const NamedTensor& tensor : tensors) {
    // A tensor is written by the rank whose interval of bytes its middle lies in.
    const double middle = before_bytes + tensor.tensor.nbytes() / 2.0;
    const int owner = total_bytes == 0 ? 0 : static_cast<int>(middle / total_bytes * world_size);
    if (std::min(owner, world_size - 1) == rank) share.push_back(tensor);
    before_bytes += tensor.tensor.nbytes();
  }
  return share;
}

std::string ShardFileName(int rank, int world_size) {
  return absl::StrFormat("state-%05d-of-%05d.safetensors", rank, world_size);
}

absl::Status ReadShards(const std::vector<std::string>& files, const NamedTensors& targets) {
  std::map<std::string, at::Tensor> wanted;
  for (const NamedTensor& target : targets) wanted.emplace(target.name, target.tensor);
  for (const std::string& path : files) {
    TY_ASSIGN_OR_RETURN(const auto file, checkpoint::SafetensorsFile::Open(path));
    NamedTensors of_file;
    for (const checkpoint::TensorEntry& entry : file->tensors()) {
      const auto found = wanted.find(entry.name);
      if (found == wanted.end()) {
        return absl::InvalidArgumentError(
            absl::StrCat(path, ": tensor ", entry.name, " is not part of this run's state"));
      }
      of_file.push_back({entry.name, found->second});
      wanted.erase(found);
    }
    TY_RETURN_IF_ERROR(checkpoint::ReadTensorsInto(*file, of_file));
  }
  if (wanted.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "the checkpoint lacks ", wanted.size(), " tensors of this run's state, first ",
      wanted.begin()->first, " (files: ", absl::StrJoin(files, ", "), ")"));
}

ShardWriter::ShardWriter(NamedTensors share) : share_(std::move(share)), snapshot_(share_) {}

absl::Status ShardWriter::Start(const std::string& directory, const std::string& file_name) {
  TY_RETURN_IF_ERROR(
      model::CatchTorch("checkpoint snapshot", [this] { snapshot_.Capture(share_); }));
  background_.Start([this, directory, file_name]() -> absl::StatusOr<checkpoint::FileRecord> {
    TY_RETURN_IF_ERROR(checkpoint::BeginCheckpoint(directory));
    return model::CatchTorch("checkpoint file", [&] {
      return checkpoint::WriteTensors(absl::StrCat(directory, "/", file_name),
                                      snapshot_.tensors(), {});
    });
  });
  return absl::OkStatus();
}

}  // namespace trainyard::worker
