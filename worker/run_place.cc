#include "worker/run_place.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/roots.h"
#include "base/status.h"

namespace trainyard::worker {

absl::StatusOr<RunPlace> PlaceOf(const task::Assignment& assignment) {
  RunPlace place;
  place.job_id = assignment.job_id;
  place.uri = assignment.run_uri;
  TY_ASSIGN_OR_RETURN(place.directory, assignment.roots.Resolve(assignment.run_uri));
  place.epoch = assignment.epoch;
  place.stand_alone = assignment.coordinator.empty();
  if (!place.stand_alone) return place;
  std::error_code error;
  while (std::filesystem::exists(absl::StrCat(place.directory, "/e", place.epoch), error)) {
    ++place.epoch;
  }
  return place;
}

absl::StatusOr<std::vector<checkpoint::Candidate>> RestoreCandidates(
    const task::Assignment& assignment, const RunPlace& place) {
  std::vector<checkpoint::Candidate> candidates;
  for (const task::Checkpoint& committed : assignment.restore) {
    TY_ASSIGN_OR_RETURN(std::string directory, assignment.roots.Resolve(committed.uri));
    candidates.push_back({std::move(directory), committed.manifest_sha256});
  }
  if (!place.stand_alone) return candidates;
  TY_ASSIGN_OR_RETURN(const std::vector<std::string> directories,
                      checkpoint::ListCheckpoints(place.directory));
  for (const std::string& directory : directories) candidates.push_back({directory, ""});
  return candidates;
}

absl::StatusOr<Output> BeginOutput(const RunPlace& place, const std::string& name,
                                   const std::string& type) {
  Output output{name, type, absl::StrCat(place.directory, "/e", place.epoch, "/", name)};
  TY_RETURN_IF_ERROR(checkpoint::BeginCheckpoint(output.directory));
  return output;
}

absl::StatusOr<task::Artifact> CommitOutput(const RunPlace& place, const Output& output,
                                            const std::vector<checkpoint::FileRecord>& files,
                                            const Json& sections) {
  checkpoint::Manifest manifest;
  manifest.kind = output.type;
  manifest.epoch = place.epoch;
  manifest.numerics_id = place.numerics_id;
  manifest.created_at = absl::FormatTime(absl::RFC3339_sec, absl::Now(), absl::UTCTimeZone());
  manifest.files = files;
  manifest.sections = sections;
  int64_t size_bytes = 0;
  for (const checkpoint::FileRecord& file : files) {
    size_bytes += static_cast<int64_t>(file.size_bytes);
  }
  TY_ASSIGN_OR_RETURN(const std::string digest,
                      checkpoint::CommitManifest(output.directory, std::move(manifest)));
  return ArtifactOf(place, output, digest, size_bytes);
}

task::Artifact ArtifactOf(const RunPlace& place, const Output& output,
                          const std::string& manifest_sha256, int64_t size_bytes) {
  task::Artifact artifact;
  artifact.name = output.name;
  artifact.type = output.type;
  artifact.uri = JoinRootUri(place.uri, absl::StrCat("e", place.epoch, "/", output.name));
  artifact.manifest_sha256 = manifest_sha256;
  artifact.job_id = place.job_id;
  artifact.epoch = place.epoch;
  artifact.size_bytes = size_bytes;
  return artifact;
}

}  // namespace trainyard::worker
