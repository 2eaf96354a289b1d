// Why a task ended, and the exit code that says so when no message could.

#ifndef TRAINYARD_BASE_END_CLASS_H_
#define TRAINYARD_BASE_END_CLASS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace trainyard {

// The numbers are those of job.proto's EndClass.
enum class EndClass {
  kUnspecified = 0,
  kSucceeded = 1,
  kUserError = 2,    // never retried
  kNan = 3,          // non-finite loss or gradient; never retried
  kDeviceError = 4,
  kDiskFull = 5,
  kOutOfMemory = 6,
  kSignal = 7,
  kNodeLost = 8,
  kHang = 9,
  kPeerLost = 10,
  kInternal = 11,
  kCancelled = 12,
  kUpstream = 13,
  kDrained = 14,
  kDeadline = 15,
};

// Why something ended. Mirrors job.proto's EndReason.
struct EndReason {
  EndClass end_class = EndClass::kUnspecified;
  // Names the thing, the value, the limit and what to do.
  std::string message;
  // Step and phase in which it happened ("load", "train", "checkpoint", ...).
  int64_t step = 0;
  std::string phase;
  // Task that is the first cause: "trainer/1 on node-a".
  std::string task;
  // As the agent saw them.
  int exit_code = 0;
  int signal = 0;
  int64_t peak_rss_bytes = 0;

  bool operator==(const EndReason&) const = default;
};

// "USER_ERROR", ...
absl::string_view EndClassName(EndClass end_class);

// The class of a name. kUnspecified for any other text.
EndClass EndClassOfName(absl::string_view name);

// The exit code a task of ours uses for a class: 0 for success, 64 + its number for the others.
int ExitCodeOf(EndClass end_class);

// The class an exit code stands for. A code outside the table is kInternal.
EndClass EndClassOfExitCode(int exit_code);

// What a failed status of a task means for its job. The cause that it names (base/cause.h) comes
// first. Without one, by code: InvalidArgument, NotFound, PermissionDenied, FailedPrecondition,
// AlreadyExists and OutOfRange are the user's, DataLoss a device or disk error, Aborted a stale
// epoch (drained), Cancelled cancelled, DeadlineExceeded a hang. The rest is internal,
// ResourceExhausted and Unavailable too: what was exhausted or away is for the message to say.
EndClass EndClassOf(const absl::Status& status);

}  // namespace trainyard

#endif  // TRAINYARD_BASE_END_CLASS_H_
