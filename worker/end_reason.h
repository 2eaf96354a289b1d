// From a failed status of this process to the reason that the coordinator stores.

#ifndef TRAINYARD_WORKER_END_REASON_H_
#define TRAINYARD_WORKER_END_REASON_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/end_class.h"

namespace trainyard::worker {

// A loss, gradient or weight that is not finite: DataLoss that EndReasonOf knows as NAN.
absl::Status NotFiniteError(absl::string_view message);

// Where this process was when it failed.
struct Place {
  int64_t step = 0;
  std::string phase;  // as task::Progress::phase
};

// The class by EndClassOf, but NAN for NotFiniteError.
EndReason EndReasonOf(const absl::Status& status, const Place& place);

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_END_REASON_H_
