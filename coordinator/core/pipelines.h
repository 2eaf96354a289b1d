// Jobs that wait for others: unblocking, inputs by digest, failure handed down, whole pipelines.

#ifndef TRAINYARD_COORDINATOR_CORE_PIPELINES_H_
#define TRAINYARD_COORDINATOR_CORE_PIPELINES_H_

#include "absl/status/status.h"
#include "coordinator/core/draft.h"

namespace trainyard::coordinator {

// A BLOCKED or waiting job whose upstream jobs changed: it is queued with its inputs resolved when
// all are SUCCEEDED, and CANCELLED (UPSTREAM) when one is FAILED or CANCELLED.
void ReviewUpstream(Draft& draft, Job& job);

// Cancels every stage that is not terminal, or retries from the first failed stage.
void OnChangePipeline(Draft& draft, const ChangePipeline& event);

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_CORE_PIPELINES_H_
