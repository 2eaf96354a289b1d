#include "cli/artifact_copy.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/atomic_file.h"
#include "base/checksum.h"
#include "base/ids.h"
#include "base/status.h"
#include "checkpoint/manifest.h"
#include "checkpoint/manifest_files.h"
#include "cli/text.h"

namespace trainyard::cli {
namespace {

namespace fs = std::filesystem;

constexpr char kJobs[] = "jobs/";

absl::Status CopyFile(const std::string& from, const std::string& to,
                      const checkpoint::FileRecord& record) {
  std::error_code error;
  fs::create_directories(fs::path(to).parent_path(), error);
  if (!error) fs::copy_file(from, to, error);
  if (error) return ErrnoStatus(error.value(), absl::StrCat("copy ", from, " to ", to));
  const auto size = fs::file_size(to, error);
  TY_ASSIGN_OR_RETURN(const std::string xxh3, FileXxh3Hex(to));
  if (error || size != record.size_bytes || xxh3 != record.xxh3) {
    return absl::DataLossError(
        absl::StrCat(from, ": is not what its manifest says (", size, " bytes, ", xxh3,
                     " instead of ", record.size_bytes, " bytes, ", record.xxh3,
                     "); run the job that wrote it again"));
  }
  return absl::OkStatus();
}

// Into a directory beside the destination, which becomes it when everything is there.
absl::Status CopyInto(const std::string& source,
                      const std::vector<checkpoint::FileRecord>& files,
                      const std::string& manifest_text, const std::string& directory) {
  TY_RETURN_IF_ERROR(MakeDirectories(directory));
  for (const checkpoint::FileRecord& record : files) {
    TY_RETURN_IF_ERROR(CopyFile(absl::StrCat(source, "/", record.path),
                                absl::StrCat(directory, "/", record.path), record));
  }
  return WriteFileAtomically(absl::StrCat(directory, "/", checkpoint::kManifestFile),
                             manifest_text);
}

std::string Names(const std::vector<v1::Artifact>& artifacts) {
  return absl::StrJoin(artifacts, ", ", [](std::string* out, const v1::Artifact& artifact) {
    absl::StrAppend(out, artifact.name());
  });
}

}  // namespace

v1::FileRef FileRefOf(const std::string& text) {
  v1::FileRef file;
  if (absl::StrContains(text, "://")) {
    file.set_uri(text);
  } else {
    file.set_artifact(absl::StartsWith(text, kJobs) ? text : absl::StrCat(kJobs, text));
  }
  return file;
}

absl::StatusOr<v1::FileRef> FindFile(Client& client, const std::string& text) {
  const bool staged = std::count(text.begin(), text.end(), '/') == 2 &&
                      !absl::StrContains(text, "://") && !absl::StartsWith(text, kJobs);
  if (!staged) return FileRefOf(text);
  TY_ASSIGN_OR_RETURN(const v1::Artifact artifact, FindArtifact(client, text));
  return FileRefOf(absl::StrCat(artifact.job_id(), "/", artifact.name()));
}

absl::StatusOr<v1::Artifact> FindArtifact(Client& client, const std::string& reference) {
  const std::string text(absl::StripPrefix(reference, kJobs));
  const size_t slash = text.rfind('/');
  const std::string owner = text.substr(0, slash);
  const std::string name = slash == std::string::npos ? "" : text.substr(slash + 1);
  const size_t stage_slash = owner.find('/');
  v1::Job job;
  if (stage_slash != std::string::npos) {
    TY_ASSIGN_OR_RETURN(const v1::Pipeline pipeline,
                        client.GetPipeline(owner.substr(0, stage_slash)));
    for (const v1::Job& stage : pipeline.jobs()) {
      if (stage.stage() == owner.substr(stage_slash + 1)) job = stage;
    }
    if (job.id().empty()) {
      return absl::NotFoundError(absl::StrCat("pipeline ", pipeline.id(), " has no stage \"",
                                              owner.substr(stage_slash + 1), "\""));
    }
  } else {
    TY_ASSIGN_OR_RETURN(job, client.GetJob(owner));
  }
  const std::vector<v1::Artifact> outputs(job.outputs().begin(), job.outputs().end());
  for (const v1::Artifact& output : outputs) {
    if (output.name() == name || (name.empty() && outputs.size() == 1)) return output;
  }
  return absl::NotFoundError(
      absl::StrCat("job ", job.id(), " (", job.spec().name(), ") has no output \"", name,
                   "\" (outputs: ", outputs.empty() ? "none" : Names(outputs), "; it is ",
                   Name(job.state()),
                   "); a name means the newest job of this name, older ones go by their ids"));
}

absl::Status CopyArtifact(const v1::Artifact& artifact, const Roots& roots,
                          const std::string& destination) {
  std::error_code error;
  if (fs::exists(destination) && !fs::is_empty(destination, error)) {
    return absl::FailedPreconditionError(
        absl::StrCat(destination, " is there already and is not empty; choose another directory"));
  }
  TY_ASSIGN_OR_RETURN(const std::string source, roots.ResolveExisting(artifact.uri()));
  const std::string manifest_path = absl::StrCat(source, "/", checkpoint::kManifestFile);
  TY_ASSIGN_OR_RETURN(const std::string text, ReadFile(manifest_path));
  if (checkpoint::ManifestDigest(text) != artifact.manifest_sha256()) {
    return absl::DataLossError(absl::StrCat(
        manifest_path, ": is not the manifest that was committed (sha256 ",
        checkpoint::ManifestDigest(text), ", recorded ", artifact.manifest_sha256(), ")"));
  }
  TY_ASSIGN_OR_RETURN(const auto files, checkpoint::ManifestFiles(text, manifest_path));
  const std::string partial = absl::StrCat(destination, ".", RandomId("partial"));
  absl::Status status = CopyInto(source, files, text, partial);
  if (status.ok()) {
    fs::remove(destination, error);  // an empty directory
    fs::rename(partial, destination, error);
    if (error) status = ErrnoStatus(error.value(), absl::StrCat("rename to ", destination));
  }
  if (!status.ok()) fs::remove_all(partial, error);
  return status;
}

}  // namespace trainyard::cli
