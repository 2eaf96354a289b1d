// New work: single jobs and pipelines, idempotent by request id, stored whole or not at all.

#ifndef TRAINYARD_COORDINATOR_CORE_SUBMIT_H_
#define TRAINYARD_COORDINATOR_CORE_SUBMIT_H_

#include "absl/status/status.h"
#include "coordinator/core/draft.h"

namespace trainyard::coordinator {

// Answers with the job, or refuses:
//   AlreadyExists       the request id was used with another body; the name is taken by a live job
//   InvalidArgument     the shape, or a job it refers to
//   ResourceExhausted   the store is read-only, or there are too many live jobs
//   FailedPrecondition  it could never start here (options.refuse_unplaceable)
void OnSubmitJob(Draft& draft, const SubmitJob& event);
void OnSubmitPipeline(Draft& draft, const SubmitPipeline& event);

// InvalidArgument names the role and the field.
absl::Status ValidateShape(const JobShape& shape, const CoreOptions& options);

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_CORE_SUBMIT_H_
