// A generate job without prompts: its rollout tasks answer whoever has the right to call them.

#ifndef TRAINYARD_EVAL_SERVE_RUN_H_
#define TRAINYARD_EVAL_SERVE_RUN_H_

#include "absl/status/status.h"
#include "eval/eval_job.h"
#include "task/assignment.h"
#include "task/session.h"

namespace trainyard::eval {

// Watches the rollout tasks until nobody has called them for job.serve_idle, and ends the job then:
// it SUCCEEDED and has no output. A call counts as long as it is at work, or when it has changed a
// task's rate of tokens since the last look. DeadlineExceeded: no rollout task came. Cancelled: a
// stop was ordered.
absl::Status RunServe(const GenerateJob& job, const task::Assignment& assignment,
                      task::TaskSession* session);

}  // namespace trainyard::eval

#endif  // TRAINYARD_EVAL_SERVE_RUN_H_
