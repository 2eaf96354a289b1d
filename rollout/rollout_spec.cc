#include "rollout/rollout_spec.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "task/job_spec.h"

namespace trainyard::rollout {
namespace {

// What the kinds of jobs say alike.
struct ModelFields {
  v1::FileRef model;
  v1::FileRef tokenizer;  // not set: the model's
  v1::Dtype dtype = v1::DTYPE_UNSPECIFIED;
};

absl::StatusOr<RolloutJob> Read(const ModelFields& fields, const task::Assignment& assignment) {
  RolloutJob job;
  job.bf16 = fields.dtype == v1::BFLOAT16;
  TY_ASSIGN_OR_RETURN(job.model_directory, task::ResolveFile(fields.model, "model", assignment));
  TY_ASSIGN_OR_RETURN(
      job.tokenizer_directory,
      task::ResolveTokenizer(fields.tokenizer, fields.model, "tokenizer", assignment));
  return job;
}

}  // namespace

absl::StatusOr<RolloutJob> ParseRolloutJob(const task::Assignment& assignment) {
  TY_ASSIGN_OR_RETURN(const v1::JobSpec spec, task::JobSpecOf(assignment));
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
