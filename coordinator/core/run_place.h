// Who writes under a run_uri. Two jobs never write to one directory: a live job has its run_uri to
// itself, and a job that takes over the run_uri of an ended one goes on with the epochs above it,
// so that e<epoch>/ is always fresh.

#ifndef TRAINYARD_COORDINATOR_CORE_RUN_PLACE_H_
#define TRAINYARD_COORDINATOR_CORE_RUN_PLACE_H_

#include <cstdint>

#include "absl/status/status.h"
#include "coordinator/core/state.h"

namespace trainyard::coordinator {

// AlreadyExists names the live job, other than this one, that holds the job's run_uri.
absl::Status CheckRunPlace(const State& state, const JobRecord& record);

// Keeps the index: a job holds its run_uri while it is not terminal.
void IndexRunPlace(State& state, const JobRecord& record);

// An epoch that no job has had under the job's run_uri; it is taken with this call.
uint64_t TakeEpoch(State& state, const JobRecord& record);

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_CORE_RUN_PLACE_H_
