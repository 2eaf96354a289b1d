// Why something failed, where the code of its status does not say it: two full queues and a full
// disk are all ResourceExhausted, and only one of them is for the operator of the disk.
//
// The cause is a payload of the status. It survives Annotate and StatusOr; a call over gRPC leaves
// it behind, since what is wrong there need not be what is wrong here.

#ifndef TRAINYARD_BASE_CAUSE_H_
#define TRAINYARD_BASE_CAUSE_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/end_class.h"

namespace trainyard {

// `status` with `cause` in the place of any former one; kUnspecified takes it away. OK stays OK.
absl::Status WithCause(absl::Status status, EndClass cause);

// kUnspecified: the status names none.
EndClass CauseOf(const absl::Status& status);

// ResourceExhausted: no space on a file system.
absl::Status DiskFullError(absl::string_view message);
// ResourceExhausted: no memory, of the host or of a device.
absl::Status OutOfMemoryError(absl::string_view message);
// Unavailable: another task of this job is gone or out of reach.
absl::Status PeerLostError(absl::string_view message);
// DataLoss: a loss, gradient or weight is not finite.
absl::Status NotFiniteError(absl::string_view message);

}  // namespace trainyard

#endif  // TRAINYARD_BASE_CAUSE_H_
