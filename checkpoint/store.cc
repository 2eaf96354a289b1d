#include "checkpoint/store.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <tuple>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/atomic_file.h"
#include "base/checksum.h"
#include "base/status.h"
#include "checkpoint/new_file.h"

namespace trainyard::checkpoint {
namespace {

namespace fs = std::filesystem;

std::string ManifestPath(const std::string& directory) {
  return absl::StrCat(directory, "/", kManifestFile);
}

absl::StatusOr<uint64_t> FileSize(const std::string& path) {
  std::error_code error;
  const uint64_t size = fs::file_size(path, error);
  if (error) return ErrnoStatus(error.value(), path);
  return size;
}

absl::StatusOr<Loaded> LoadAndVerify(const Candidate& candidate) {
  TY_ASSIGN_OR_RETURN(Manifest manifest, ReadManifest(candidate));
  TY_RETURN_IF_ERROR(VerifyFiles(candidate.directory, manifest));
  return Loaded{candidate, std::move(manifest), {}};
}

struct StepName {
  int64_t step = 0;
  uint64_t epoch = 0;
};

bool ParseStepDirectory(const std::string& directory, StepName* name) {
  const fs::path path(directory);
  const std::string epoch = path.parent_path().filename().string();
  const std::string step = path.filename().string();
  absl::string_view epoch_digits = epoch, step_digits = step;
  return absl::ConsumePrefix(&epoch_digits, "e") && absl::ConsumePrefix(&step_digits, "step-") &&
         absl::SimpleAtoi(epoch_digits, &name->epoch) && absl::SimpleAtoi(step_digits, &name->step);
}

}  // namespace

std::string StepDirectory(const std::string& run_directory, uint64_t epoch, int64_t step) {
  return absl::StrFormat("%s/e%d/step-%08d", run_directory, epoch, step);
}

absl::Status BeginCheckpoint(const std::string& directory) {
  std::error_code error;
  if (fs::exists(ManifestPath(directory), error)) {
    return absl::AlreadyExistsError(
        absl::StrCat(directory, " holds a committed checkpoint; it is never overwritten"));
  }
  return MakeDirectories(directory);
}

absl::StatusOr<FileRecord> WriteCheckpointFile(const std::string& directory,
                                               const std::string& name, absl::string_view bytes) {
  TY_ASSIGN_OR_RETURN(const auto file, NewFile::Create(absl::StrCat(directory, "/", name)));
  TY_RETURN_IF_ERROR(file->Append(bytes));
  return file->Finish();
}

absl::StatusOr<FileRecord> RecordFile(const std::string& directory, const std::string& name) {
  const std::string path = absl::StrCat(directory, "/", name);
  TY_RETURN_IF_ERROR(SyncPath(path));
  FileRecord record;
  record.path = name;
  TY_ASSIGN_OR_RETURN(record.size_bytes, FileSize(path));
  TY_ASSIGN_OR_RETURN(record.xxh3, FileXxh3Hex(path));
  return record;
}

absl::StatusOr<std::string> CommitManifest(const std::string& directory, Manifest manifest) {
  for (const FileRecord& file : manifest.files) {
    const auto size = FileSize(absl::StrCat(directory, "/", file.path));
    if (!size.ok() || *size != file.size_bytes) {
      return absl::FailedPreconditionError(absl::StrCat(
          directory, "/", file.path, ": the manifest lists ", file.size_bytes, " bytes, on disk ",
          size.ok() ? absl::StrCat("are ", *size) : std::string("is no such file")));
    }
  }
  const std::string text = SerializeManifest(manifest);
  std::error_code error;
  if (fs::exists(ManifestPath(directory), error)) {
    TY_ASSIGN_OR_RETURN(const std::string present, ReadFile(ManifestPath(directory)));
    if (present == text) return ManifestDigest(text);
    return absl::AlreadyExistsError(
        absl::StrCat(directory, " holds a committed checkpoint with other contents"));
  }
  // The names of the files must be durable before the name that vouches for them.
  TY_RETURN_IF_ERROR(SyncPath(directory));
  TY_RETURN_IF_ERROR(WriteFileAtomically(ManifestPath(directory), text));
  return ManifestDigest(text);
}

absl::StatusOr<Manifest> ReadManifest(const Candidate& candidate) {
  const std::string path = ManifestPath(candidate.directory);
  TY_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  const std::string digest = ManifestDigest(text);
  if (!candidate.manifest_sha256.empty() && digest != candidate.manifest_sha256) {
    return absl::DataLossError(
        absl::StrCat(path, " has SHA-256 ", digest, ", committed was ", candidate.manifest_sha256));
  }
  return ParseManifest(text, path);
}

absl::Status VerifyFiles(const std::string& directory, const Manifest& manifest) {
  for (const FileRecord& file : manifest.files) {
    const std::string path = absl::StrCat(directory, "/", file.path);
    const auto size = FileSize(path);
    if (!size.ok()) return absl::DataLossError(size.status().message());
    if (*size != file.size_bytes) {
      return absl::DataLossError(
          absl::StrCat(path, " has ", *size, " bytes, the manifest says ", file.size_bytes));
    }
    TY_ASSIGN_OR_RETURN(const std::string xxh3, FileXxh3Hex(path));
    if (xxh3 != file.xxh3) {
      return absl::DataLossError(absl::StrCat(path, " has XXH3 ", xxh3, ", the manifest says ",
                                              file.xxh3, ": its bytes have changed"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Loaded> LoadFirstGood(absl::Span<const Candidate> candidates) {
  std::vector<std::string> skipped;
  for (const Candidate& candidate : candidates) {
    auto loaded = LoadAndVerify(candidate);
    if (loaded.ok()) {
      loaded->skipped = std::move(skipped);
      return loaded;
    }
    skipped.push_back(
        absl::StrCat("passed over ", candidate.directory, ": ", loaded.status().message()));
  }
  return absl::NotFoundError(absl::StrCat("no good checkpoint among ", candidates.size(),
                                          skipped.empty() ? "" : ": ",
                                          absl::StrJoin(skipped, "; ")));
}

absl::StatusOr<std::vector<std::string>> ListCheckpoints(const std::string& run_directory) {
  std::vector<std::pair<StepName, std::string>> found;
  std::error_code error;
  if (!fs::exists(run_directory, error)) return std::vector<std::string>{};
  for (const auto& epoch : fs::directory_iterator(run_directory, error)) {
    if (!epoch.is_directory(error)) continue;
    for (const auto& step : fs::directory_iterator(epoch.path(), error)) {
      StepName name;
      if (!ParseStepDirectory(step.path().string(), &name)) continue;
      if (!fs::exists(ManifestPath(step.path().string()), error)) continue;
      found.emplace_back(name, step.path().string());
    }
  }
  if (error) return ErrnoStatus(error.value(), absl::StrCat("list ", run_directory));
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return std::tie(a.first.step, a.first.epoch) > std::tie(b.first.step, b.first.epoch);
  });
  std::vector<std::string> directories;
  for (auto& [name, directory] : found) directories.push_back(std::move(directory));
  return directories;
}

std::vector<std::string> Expendable(absl::Span<const std::string> directories,
                                    const Retention& retention) {
  const std::set<std::string> kept(retention.keep_directories.begin(),
                                   retention.keep_directories.end());
  std::vector<std::string> expendable;
  int64_t newer = 0;
  for (const std::string& directory : directories) {
    StepName name;
    const bool parsed = ParseStepDirectory(directory, &name);
    const bool nth =
        parsed && retention.keep_every_steps > 0 && name.step % retention.keep_every_steps == 0;
    if (newer++ < retention.keep_last || nth || !parsed || kept.count(directory) > 0) continue;
    expendable.push_back(directory);
  }
  std::reverse(expendable.begin(), expendable.end());
  return expendable;
}

absl::Status RemoveCheckpoint(const std::string& directory) {
  std::error_code error;
  fs::remove(ManifestPath(directory), error);
  if (error) return ErrnoStatus(error.value(), absl::StrCat("remove ", ManifestPath(directory)));
  TY_RETURN_IF_ERROR(SyncPath(directory));
  fs::remove_all(directory, error);
  if (error) return ErrnoStatus(error.value(), absl::StrCat("remove ", directory));
  return absl::OkStatus();
}

}  // namespace trainyard::checkpoint
