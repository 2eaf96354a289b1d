#include "base/end_class.h"

#include <algorithm>
#include <array>

#include "base/cause.h"

namespace trainyard {
namespace {

constexpr std::array<const char*, 16> kNames = {
    "UNSPECIFIED", "SUCCEEDED", "USER_ERROR", "NAN",       "DEVICE_ERROR", "DISK_FULL",
    "OUT_OF_MEMORY", "SIGNAL",  "NODE_LOST",  "HANG",      "PEER_LOST",    "INTERNAL",
    "CANCELLED",   "UPSTREAM",  "DRAINED",    "DEADLINE"};
constexpr int kFirstExitCode = 64;

}  // namespace

absl::string_view EndClassName(EndClass end_class) {
  const auto index = static_cast<size_t>(end_class);
  return index < kNames.size() ? kNames[index] : "UNKNOWN";
}

EndClass EndClassOfName(absl::string_view name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  return found == kNames.end() ? EndClass::kUnspecified
                               : static_cast<EndClass>(found - kNames.begin());
}

int ExitCodeOf(EndClass end_class) {
  if (end_class == EndClass::kSucceeded) return 0;
  return kFirstExitCode + static_cast<int>(end_class);
}

EndClass EndClassOfExitCode(int exit_code) {
  if (exit_code == 0) return EndClass::kSucceeded;
  const int number = exit_code - kFirstExitCode;
  const bool reserved = number > static_cast<int>(EndClass::kSucceeded) &&
                        number < static_cast<int>(kNames.size());
  return reserved ? static_cast<EndClass>(number) : EndClass::kInternal;
}

EndClass EndClassOf(const absl::Status& status) {
  if (const EndClass cause = CauseOf(status); cause != EndClass::kUnspecified) return cause;
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return EndClass::kSucceeded;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kOutOfRange:
      return EndClass::kUserError;
    case absl::StatusCode::kDataLoss:
      return EndClass::kDeviceError;
    case absl::StatusCode::kAborted:
      return EndClass::kDrained;
    case absl::StatusCode::kCancelled:
      return EndClass::kCancelled;
    case absl::StatusCode::kDeadlineExceeded:
      return EndClass::kHang;
    default:
      return EndClass::kInternal;
  }
}

}  // namespace trainyard
