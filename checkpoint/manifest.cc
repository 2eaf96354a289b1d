#include "checkpoint/manifest.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/status.h"

namespace trainyard::checkpoint {
namespace {

constexpr int64_t kFormatVersion = 1;

bool StaysInside(const std::string& path) {
  const std::filesystem::path relative(path);
  if (path.empty() || relative.is_absolute()) return false;
  return std::none_of(relative.begin(), relative.end(),
                      [](const std::filesystem::path& part) { return part == ".."; });
}

absl::StatusOr<FileRecord> ParseFile(const Json& json, absl::string_view document) {
  const JsonReader reader(json, absl::StrCat(document, ": files[]"));
  TY_RETURN_IF_ERROR(reader.OnlyFields({"path", "size_bytes", "xxh3"}));
  FileRecord file;
  TY_ASSIGN_OR_RETURN(file.path, reader.String("path"));
  TY_ASSIGN_OR_RETURN(const int64_t size_bytes, reader.Int("size_bytes"));
  TY_ASSIGN_OR_RETURN(file.xxh3, reader.String("xxh3"));
  if (!StaysInside(file.path)) {
    return absl::InvalidArgumentError(
        absl::StrCat(document, ": file path \"", file.path, "\" leaves the directory"));
  }
  if (size_bytes < 0 || file.xxh3.size() != 32) {
    return absl::InvalidArgumentError(
        absl::StrCat(document, ": file \"", file.path, "\" has no valid size or checksum"));
  }
  file.size_bytes = static_cast<uint64_t>(size_bytes);
  return file;
}

}  // namespace

std::string SerializeManifest(const Manifest& manifest) {
  std::vector<FileRecord> files = manifest.files;
  std::sort(files.begin(), files.end(),
            [](const FileRecord& a, const FileRecord& b) { return a.path < b.path; });
  Json list = Json::array();
  for (const FileRecord& file : files) {
    list.push_back({{"path", file.path}, {"size_bytes", file.size_bytes}, {"xxh3", file.xxh3}});
  }
  return Json{{"format_version", kFormatVersion},
              {"kind", manifest.kind},
              {"step", manifest.step},
              {"epoch", manifest.epoch},
              {"numerics_id", manifest.numerics_id},
              {"created_at", manifest.created_at},
              {"files", list},
              {"sections", manifest.sections}}
      .dump();
}

absl::StatusOr<Manifest> ParseManifest(absl::string_view text, absl::string_view document) {
  TY_ASSIGN_OR_RETURN(const Json json, ParseJson(text, document));
  const JsonReader reader(json, document);
  TY_RETURN_IF_ERROR(reader.OnlyFields({"format_version", "kind", "step", "epoch", "numerics_id",
                                        "created_at", "files", "sections"}));
  TY_ASSIGN_OR_RETURN(const int64_t version, reader.Int("format_version"));
  if (version != kFormatVersion) {
    return absl::InvalidArgumentError(absl::StrCat(document, ": format_version ", version,
                                                   ", this build reads ", kFormatVersion));
  }
  Manifest manifest;
  TY_ASSIGN_OR_RETURN(manifest.kind, reader.String("kind"));
  TY_ASSIGN_OR_RETURN(manifest.step, reader.Int("step"));
  TY_ASSIGN_OR_RETURN(const int64_t epoch, reader.Int("epoch"));
  manifest.epoch = static_cast<uint64_t>(epoch);
  TY_ASSIGN_OR_RETURN(manifest.numerics_id, reader.String("numerics_id"));
  TY_ASSIGN_OR_RETURN(manifest.created_at, reader.String("created_at"));
  TY_ASSIGN_OR_RETURN(const Json* files, reader.Array("files"));
  for (const Json& entry : *files) {
    TY_ASSIGN_OR_RETURN(FileRecord file, ParseFile(entry, document));
    manifest.files.push_back(std::move(file));
  }
  TY_ASSIGN_OR_RETURN(const Json* sections, reader.Object("sections"));
  manifest.sections = *sections;
  return manifest;
}

std::string ManifestDigest(absl::string_view text) { return Sha256Hex(text); }

absl::StatusOr<const Json*> FindSection(const Manifest& manifest, absl::string_view name) {
  const auto it = manifest.sections.find(std::string(name));
  if (it == manifest.sections.end()) {
    return absl::FailedPreconditionError(
        absl::StrCat("manifest of kind \"", manifest.kind, "\", step ", manifest.step,
                     ": section \"", name, "\" is missing; it was written by another kind of job"));
  }
  return &*it;
}

}  // namespace trainyard::checkpoint
