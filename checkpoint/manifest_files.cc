#include "checkpoint/manifest_files.h"

#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/atomic_file.h"
#include "base/checksum.h"
#include "base/json.h"
#include "base/status.h"
#include "checkpoint/manifest.h"

namespace trainyard::checkpoint {
namespace {

absl::StatusOr<std::vector<FileRecord>> ShardFiles(const Json& manifest,
                                                   absl::string_view document) {
  const JsonReader reader(manifest, document);
  TY_ASSIGN_OR_RETURN(const int64_t bytes_per_token, reader.Int("bytes_per_token"));
  TY_ASSIGN_OR_RETURN(const Json* shards, reader.Array("shards"));
  std::vector<FileRecord> files;
  for (const Json& shard : *shards) {
    const JsonReader fields(shard, document);
    TY_ASSIGN_OR_RETURN(const std::string name, fields.String("name"));
    TY_ASSIGN_OR_RETURN(const int64_t tokens, fields.Int("tokens"));
    TY_ASSIGN_OR_RETURN(const int64_t documents, fields.Int("documents"));
    TY_ASSIGN_OR_RETURN(std::string tokens_xxh3, fields.String("tokens_xxh3"));
    TY_ASSIGN_OR_RETURN(std::string offsets_xxh3, fields.String("offsets_xxh3"));
    if (name.empty() || absl::StrContains(name, "/")) {
      return absl::InvalidArgumentError(
          absl::StrCat(document, ": \"", name, "\" is no name of a shard"));
    }
    files.push_back({name + ".tokens", static_cast<uint64_t>(tokens * bytes_per_token),
                     std::move(tokens_xxh3)});
    files.push_back({name + ".offsets", (documents + 1) * sizeof(uint64_t),
                     std::move(offsets_xxh3)});
  }
  return files;
}

absl::Status VerifyFile(const std::string& path, const FileRecord& record) {
  std::error_code error;
  const uint64_t size = std::filesystem::file_size(path, error);
  if (error) return ErrnoStatus(error.value(), path);
  if (size != record.size_bytes) {
    return absl::DataLossError(absl::StrCat(path, ": ", size, " bytes, its manifest says ",
                                            record.size_bytes, "; it was changed or cut"));
  }
  TY_ASSIGN_OR_RETURN(const std::string xxh3, FileXxh3Hex(path));
  if (xxh3 == record.xxh3) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(path, ": its checksum is ", xxh3, ", its manifest says ",
                                          record.xxh3,
                                          "; it was changed: run the job that wrote it again"));
}

}  // namespace

absl::StatusOr<std::vector<FileRecord>> ManifestFiles(absl::string_view text,
                                                      absl::string_view document) {
  TY_ASSIGN_OR_RETURN(const Json json, ParseJson(text, document));
  if (json.is_object() && json.contains("shards")) return ShardFiles(json, document);
  TY_ASSIGN_OR_RETURN(Manifest manifest, ParseManifest(text, document));
  return std::move(manifest.files);
}

absl::Status VerifyFiles(const std::string& directory, const std::string& manifest_sha256) {
  const std::string path = absl::StrCat(directory, "/", kManifestFile);
  TY_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  if (!manifest_sha256.empty() && ManifestDigest(text) != manifest_sha256) {
    return absl::DataLossError(
        absl::StrCat(path, ": is not the manifest that was committed (sha256 ",
                     ManifestDigest(text), ", recorded ", manifest_sha256, ")"));
  }
  TY_ASSIGN_OR_RETURN(const std::vector<FileRecord> files, ManifestFiles(text, path));
  for (const FileRecord& record : files) {
    TY_RETURN_IF_ERROR(VerifyFile(absl::StrCat(directory, "/", record.path), record));
  }
  return absl::OkStatus();
}

}  // namespace trainyard::checkpoint
