// A generate job: prompts in, answers out, resumable by row.

#ifndef TRAINYARD_EVAL_GENERATE_RUN_H_
#define TRAINYARD_EVAL_GENERATE_RUN_H_

#include "absl/status/status.h"
#include "eval/eval_job.h"
#include "eval/output.h"
#include "task/assignment.h"
#include "task/session.h"

namespace trainyard::eval {

// Runs the job to its artifact "answers" (answers.jsonl, a row per prompt in the order of the
// prompts) and finishes it. The status says why not.
absl::Status RunGenerate(const GenerateJob& job, const task::Assignment& assignment,
                         task::TaskSession* session);

}  // namespace trainyard::eval

#endif  // TRAINYARD_EVAL_GENERATE_RUN_H_
