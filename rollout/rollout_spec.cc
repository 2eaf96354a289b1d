#include "rollout/rollout_spec.h"

#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard::rollout {
namespace {

absl::StatusOr<std::string> Resolve(const v1::FileRef& file, absl::string_view what,
                                    const task::Assignment& assignment) {
  std::string uri = file.uri();
  if (file.source_case() == v1::FileRef::kArtifact) {
    const auto artifact = assignment.artifacts.find(file.artifact());
    if (artifact == assignment.artifacts.end()) {
      return absl::NotFoundError(absl::StrCat(what, ": the assignment does not resolve artifact ",
                                              file.artifact()));
    }
    uri = artifact->second.uri;
  } else if (file.source_case() != v1::FileRef::kUri) {
    return absl::InvalidArgumentError(absl::StrCat(what, " is missing"));
  }
  absl::StatusOr<std::string> path = assignment.roots.ResolveExisting(uri);
  if (!path.ok()) return Annotate(path.status(), what);
  return path;
}

// The directory of a tokenizer that may be given as its file.
std::string DirectoryOf(const std::string& path) {
  struct stat found;
  const bool file = stat(path.c_str(), &found) == 0 && S_ISREG(found.st_mode);
  return file ? path.substr(0, path.rfind('/')) : path;
}

absl::StatusOr<RolloutJob> Read(const v1::FileRef& model, const v1::FileRef& tokenizer,
                                const task::Assignment& assignment) {
  RolloutJob job;
  TY_ASSIGN_OR_RETURN(job.model_directory, Resolve(model, "model", assignment));
  job.tokenizer_directory = job.model_directory;
  if (tokenizer.source_case() != v1::FileRef::SOURCE_NOT_SET) {
    TY_ASSIGN_OR_RETURN(const std::string path, Resolve(tokenizer, "tokenizer", assignment));
    job.tokenizer_directory = DirectoryOf(path);
  }
  return job;
}

}  // namespace

absl::StatusOr<RolloutJob> ParseRolloutJob(const task::Assignment& assignment) {
  v1::JobSpec spec;
  if (!spec.ParseFromString(assignment.job_spec)) {
    return absl::InvalidArgumentError("the assignment's job spec is not a JobSpec");
  }
  switch (spec.kind_case()) {
    case v1::JobSpec::kPpo:
      return Read(spec.ppo().policy(), spec.ppo().data().tokenizer(), assignment);
    case v1::JobSpec::kGenerate:
      return Read(spec.generate().model(), spec.generate().tokenizer(), assignment);
    case v1::JobSpec::kEval: {
      const int models = spec.eval().models_size();
      if (assignment.index < 0 || assignment.index >= models) {
        return absl::InvalidArgumentError(absl::StrCat("rollout task ", assignment.index,
                                                       " has no model: eval.models has ", models));
      }
      return Read(spec.eval().models(assignment.index).model(), v1::FileRef(), assignment);
    }
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("job ", spec.name(), " is of a kind that has no rollout tasks"));
  }
}

}  // namespace trainyard::rollout
