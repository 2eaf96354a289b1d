// Why a job does not run, and the least that would start it.

#ifndef TRAINYARD_COORDINATOR_CORE_EXPLAIN_H_
#define TRAINYARD_COORDINATOR_CORE_EXPLAIN_H_

#include <string>

#include "absl/time/time.h"
#include "coordinator/core/core.h"
#include "coordinator/core/state.h"

namespace trainyard::coordinator {

// In words: what of the gang does not fit the empty cluster, with the value and the limit.
std::string DescribeMisfit(const State& state, const JobRecord& job);

// The blocking constraint of a job, with a remedy that was verified by placing again.
Explanation ExplainJob(const State& state, const Job& job, absl::Time now);

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_CORE_EXPLAIN_H_
