// From a submit request to the core's event: checked, defaulted, with its ids drawn.

#ifndef TRAINYARD_COORDINATOR_SUBMISSION_H_
#define TRAINYARD_COORDINATOR_SUBMISSION_H_

#include "absl/status/statusor.h"
#include "coordinator/core/event.h"
#include "trainyard/v1/coordinator.pb.h"

namespace trainyard::coordinator {

// InvalidArgument carries every violation. The body's digest is over what the user sent, so that a
// request repeated under its id is known again although new ids were drawn for it.
absl::StatusOr<SubmitJob> MakeSubmission(const v1::SubmitJobRequest& request);
absl::StatusOr<SubmitPipeline> MakeSubmission(const v1::SubmitPipelineRequest& request);

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_SUBMISSION_H_
