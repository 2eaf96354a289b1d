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

// What the kinds of jobs say alike.
struct ModelFields {
  v1::FileRef model;
  v1::FileRef tokenizer;  // not set: the model's
  v1::Dtype dtype = v1::DTYPE_UNSPECIFIED;
};

absl::StatusOr<RolloutJob> Read(const ModelFields& fields, const task::Assignment& assignment) {
  RolloutJob job;
  job.bf16 = fields.dtype == v1::BFLOAT16;
  TY_ASSIGN_OR_RETURN(job.model_directory, Resolve(fields.model, "model", assignment));
  job.tokenizer_directory = job.model_directory;
  if (fields.tokenizer.source_case() != v1::FileRef::SOURCE_NOT_SET) {
    TY_ASSIGN_OR_RETURN(const std::string path, Resolve(fields.tokenizer, "tokenizer", assignment));
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
      return Read({spec.ppo().policy(), spec.ppo().data().tokenizer(), spec.ppo().dtype()},
                  assignment);
    case v1::JobSpec::kGenerate:
      return Read({spec.generate().model(), spec.generate().tokenizer(), spec.generate().dtype()},
                  assignment);
    case v1::JobSpec::kEval: {
      const int models = spec.eval().models_size();
      if (assignment.index < 0 || assignment.index >= models) {
        return absl::InvalidArgumentError(absl::StrCat("rollout task ", assignment.index,
                                                       " has no model: eval.models has ", models));
      }
      return Read({spec.eval().models(assignment.index).model(), {}, spec.eval().dtype()},
                  assignment);
    }
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("job ", spec.name(), " is of a kind that has no rollout tasks"));
  }
}

}  // namespace trainyard::rollout
