// absl::Status at every border of the project.
//
// One meaning per code: InvalidArgument (the caller's fault), FailedPrecondition (state),
// Unavailable (retry with back-off), Aborted (you are stale: register again), DeadlineExceeded,
// ResourceExhausted, DataLoss (checksum), NotFound, AlreadyExists, PermissionDenied, Cancelled,
// Internal (a bug of ours).
//
// A message names the thing, the value, the limit and what to do next.

#ifndef TRAINYARD_BASE_STATUS_H_
#define TRAINYARD_BASE_STATUS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trainyard {

// `status` with "context: " before its message; OK stays OK. Keeps the code and payloads.
absl::Status Annotate(const absl::Status& status, absl::string_view context);

// The status of the C library's `errno_value`, with "what: strerror" as message: DiskFullError,
// OutOfMemoryError, NotFound, AlreadyExists, PermissionDenied; else Unavailable (EIO: of a device).
absl::Status ErrnoStatus(int errno_value, absl::string_view what);

// A broken invariant of our own code: logs where and why, then aborts. Never for input.
[[noreturn]] void CheckFailed(const char* file, int line, absl::string_view what);

}  // namespace trainyard

#define TY_CHECK(condition)                                           \
  do {                                                                \
    if (!(condition)) ::trainyard::CheckFailed(__FILE__, __LINE__, #condition); \
  } while (false)

#define TY_STATUS_CONCAT_INNER_(a, b) a##b
#define TY_STATUS_CONCAT_(a, b) TY_STATUS_CONCAT_INNER_(a, b)

// Returns from the function when `expression` (an absl::Status) is not OK.
#define TY_RETURN_IF_ERROR(expression)                      \
  do {                                                      \
    if (absl::Status ty_status = (expression); !ty_status.ok()) return ty_status; \
  } while (false)

// TY_ASSIGN_OR_RETURN(auto x, F()): returns F's error, or moves its value into `target`.
#define TY_ASSIGN_OR_RETURN(target, expression) \
  TY_ASSIGN_OR_RETURN_IMPL_(TY_STATUS_CONCAT_(ty_or_, __LINE__), target, expression)
#define TY_ASSIGN_OR_RETURN_IMPL_(holder, target, expression) \
  auto holder = (expression);                                 \
  if (!holder.ok()) return std::move(holder).status();        \
  target = std::move(holder).value()

#endif  // TRAINYARD_BASE_STATUS_H_
