#include "task/job_spec.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace trainyard::task {

absl::StatusOr<v1::JobSpec> JobSpecOf(const Assignment& assignment) {
  v1::JobSpec spec;
  if (spec.ParseFromString(assignment.job_spec)) return spec;
  return absl::InvalidArgumentError("the assignment's job spec is not a JobSpec");
}

absl::StatusOr<FilePlace> LocateFile(const v1::FileRef& file, absl::string_view what,
                                     const Assignment& assignment) {
  FilePlace place;
  std::string uri = file.uri();
  if (file.source_case() == v1::FileRef::kArtifact) {
    const auto artifact = assignment.artifacts.find(file.artifact());
    if (artifact == assignment.artifacts.end()) {
      return absl::NotFoundError(absl::StrCat(what, ": the assignment does not resolve artifact ",
                                              file.artifact()));
    }
    uri = artifact->second.uri;
    place.manifest_sha256 = artifact->second.manifest_sha256;
  } else if (uri.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(what, " is missing"));
  }
  absl::StatusOr<std::string> path = assignment.roots.ResolveExisting(uri);
  if (!path.ok()) return Annotate(path.status(), what);
  place.path = *std::move(path);
  return place;
}

absl::StatusOr<std::string> ResolveFile(const v1::FileRef& file, absl::string_view what,
                                        const Assignment& assignment) {
  TY_ASSIGN_OR_RETURN(FilePlace place, LocateFile(file, what, assignment));
  return std::move(place.path);
}

absl::StatusOr<std::string> ResolveTokenizer(const v1::FileRef& file, const v1::FileRef& model,
                                             absl::string_view what, const Assignment& assignment) {
  const bool named = file.source_case() != v1::FileRef::SOURCE_NOT_SET;
  TY_ASSIGN_OR_RETURN(const std::string path, ResolveFile(named ? file : model, what, assignment));
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return path;
  return std::filesystem::path(path).parent_path().string();
}

}  // namespace trainyard::task
