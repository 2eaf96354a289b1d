// The filter of ListJobs: "state=FAILED, kind=ppo, label.team=blue".

#ifndef TRAINYARD_COORDINATOR_JOB_FILTER_H_
#define TRAINYARD_COORDINATOR_JOB_FILTER_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "coordinator/store.h"

namespace trainyard::coordinator {

// Terms joined by "AND" or ",": state=STATE, kind=KIND, name=NAME, pipeline=ID, label.KEY=VALUE.
// InvalidArgument names the term and the nearest key or state.
absl::StatusOr<JobFilter> ParseJobFilter(absl::string_view text);

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_JOB_FILTER_H_
