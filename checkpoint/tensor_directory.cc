#include "checkpoint/tensor_directory.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/atomic_file.h"
#include "base/json.h"
#include "base/status.h"

namespace trainyard::checkpoint {
namespace {

constexpr char kSingleFile[] = "model.safetensors";
constexpr char kIndexFile[] = "model.safetensors.index.json";

absl::Status AddFile(const std::string& path, TensorDirectory* opened) {
  TY_ASSIGN_OR_RETURN(std::unique_ptr<SafetensorsFile> file, SafetensorsFile::Open(path));
  for (const TensorEntry& entry : file->tensors()) {
    const auto [place, added] = opened->tensors.insert({entry.name, {file.get(), &entry}});
    if (added) continue;
    return absl::InvalidArgumentError(absl::StrCat("tensor \"", entry.name, "\" is in two shards, ",
                                                   place->second.file->path(), " and ", path));
  }
  opened->files.push_back(std::move(file));
  return absl::OkStatus();
}

// Tensor -> file, as the index says.
absl::StatusOr<std::map<std::string, std::string>> ReadIndex(const std::string& path) {
  TY_ASSIGN_OR_RETURN(const Json index, ReadJsonFile(path));
  TY_ASSIGN_OR_RETURN(const Json* map, JsonReader(index, path).Object("weight_map"));
  std::map<std::string, std::string> files;
  for (const auto& [tensor, file] : map->items()) {
    if (!file.is_string() || absl::StrContains(file.get<std::string>(), "/")) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": tensor \"", tensor, "\" is in no file of this directory"));
    }
    files[tensor] = file.get<std::string>();
  }
  return files;
}

absl::StatusOr<TensorDirectory> OpenShards(const std::string& directory,
                                           const std::string& index_path) {
  TY_ASSIGN_OR_RETURN(const auto index, ReadIndex(index_path));
  TensorDirectory opened;
  std::map<std::string, bool> seen;
  for (const auto& [tensor, name] : index) {
    if (std::exchange(seen[name], true)) continue;
    const std::string path = absl::StrCat(directory, "/", name);
    const absl::Status added = AddFile(path, &opened);
    if (absl::IsNotFound(added)) {
      return absl::DataLossError(
          absl::StrCat(path, " is missing; ", index_path, " names it for \"", tensor, "\""));
    }
    TY_RETURN_IF_ERROR(added);
  }
  for (const auto& [tensor, name] : index) {
    const auto place = opened.tensors.find(tensor);
    if (place == opened.tensors.end() ||
        place->second.file->path() != absl::StrCat(directory, "/", name)) {
      return absl::InvalidArgumentError(
          absl::StrCat(index_path, ": tensor \"", tensor, "\" is not in ", name));
    }
  }
  return opened;
}

}  // namespace

absl::StatusOr<TensorDirectory> OpenTensorDirectory(const std::string& directory) {
  TensorDirectory opened;
  const absl::Status single = AddFile(absl::StrCat(directory, "/", kSingleFile), &opened);
  if (single.ok()) return opened;
  if (!absl::IsNotFound(single)) return single;
  auto shards = OpenShards(directory, absl::StrCat(directory, "/", kIndexFile));
  if (!absl::IsNotFound(shards.status())) return shards;
  return absl::NotFoundError(
      absl::StrCat(directory, " holds neither ", kSingleFile, " nor ", kIndexFile));
}

}  // namespace trainyard::checkpoint
