// An eval job: the same prompts, settings and random numbers for every model, then the verdict.

#ifndef TRAINYARD_EVAL_EVAL_RUN_H_
#define TRAINYARD_EVAL_EVAL_RUN_H_

#include "absl/status/status.h"
#include "eval/eval_job.h"
#include "task/assignment.h"
#include "task/session.h"

namespace trainyard::eval {

// Runs the job to its artifact "report" (report.json) and finishes it; answers survive a crash row
// by row. A gate that fails is a result, not an error. The status says why there is no report.
absl::Status RunEval(const EvalJob& job, const task::Assignment& assignment,
                     task::TaskSession* session);

}  // namespace trainyard::eval

#endif  // TRAINYARD_EVAL_EVAL_RUN_H_
