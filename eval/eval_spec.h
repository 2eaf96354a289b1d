// From the job's spec to plain values. The only file of eval/ that knows the spec's protobufs.

#ifndef TRAINYARD_EVAL_EVAL_SPEC_H_
#define TRAINYARD_EVAL_EVAL_SPEC_H_

#include <variant>

#include "absl/status/statusor.h"
#include "eval/eval_job.h"
#include "task/assignment.h"

namespace trainyard::eval {

// InvalidArgument names the field; NotFound the file, by its reference; another kind of job is
// InvalidArgument.
absl::StatusOr<std::variant<GenerateJob, EvalJob>> ParseJob(const task::Assignment& assignment);

}  // namespace trainyard::eval

#endif  // TRAINYARD_EVAL_EVAL_SPEC_H_
