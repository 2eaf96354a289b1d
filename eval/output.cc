#include "eval/output.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/roots.h"
#include "base/status.h"
#include "checkpoint/store.h"

namespace trainyard::eval {

absl::StatusOr<RunPlace> PlaceOf(const task::Assignment& assignment) {
  RunPlace place;
  place.job_id = assignment.job_id;
  place.uri = assignment.run_uri;
  place.epoch = assignment.epoch;
  TY_ASSIGN_OR_RETURN(place.directory, assignment.roots.Resolve(assignment.run_uri));
  if (!assignment.coordinator.empty()) return place;
  std::error_code ignored;
  while (std::filesystem::exists(absl::StrCat(place.directory, "/e", place.epoch), ignored)) {
    ++place.epoch;
  }
  return place;
}

absl::StatusOr<task::Artifact> WriteOutput(const RunPlace& place, const OutputFile& output,
                                           const Json& sections,
                                           const std::vector<FileBeside>& beside) {
  const std::string below = absl::StrCat("e", place.epoch, "/", output.artifact);
  const std::string directory = absl::StrCat(place.directory, "/", below);
  TY_RETURN_IF_ERROR(checkpoint::BeginCheckpoint(directory));
  std::vector<FileBeside> files = {{output.file_name, output.bytes}};
  files.insert(files.end(), beside.begin(), beside.end());
  task::Artifact artifact;
  checkpoint::Manifest manifest;
  for (const FileBeside& file : files) {
    TY_ASSIGN_OR_RETURN(checkpoint::FileRecord written,
                        checkpoint::WriteCheckpointFile(directory, file.file_name, file.bytes));
    artifact.size_bytes += static_cast<int64_t>(written.size_bytes);
    manifest.files.push_back(std::move(written));
  }
  manifest.kind = output.type;
  manifest.epoch = place.epoch;
  manifest.created_at = absl::FormatTime(absl::RFC3339_sec, absl::Now(), absl::UTCTimeZone());
  manifest.sections = sections;
  TY_ASSIGN_OR_RETURN(artifact.manifest_sha256,
                      checkpoint::CommitManifest(directory, std::move(manifest)));
  artifact.name = output.artifact;
  artifact.type = output.type;
  artifact.uri = JoinRootUri(place.uri, below);
  artifact.job_id = place.job_id;
  artifact.epoch = place.epoch;
  return artifact;
}

}  // namespace trainyard::eval
