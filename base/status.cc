#include "base/status.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "base/cause.h"
#include "base/log.h"

namespace trainyard {

absl::Status Annotate(const absl::Status& status, absl::string_view context) {
  if (status.ok()) return status;
  absl::Status annotated(status.code(), absl::StrCat(context, ": ", status.message()));
  status.ForEachPayload([&](absl::string_view type_url, const absl::Cord& payload) {
    annotated.SetPayload(type_url, payload);
  });
  return annotated;
}

absl::Status ErrnoStatus(int errno_value, absl::string_view what) {
  const std::string message = absl::StrCat(what, ": ", std::strerror(errno_value));
  switch (errno_value) {
    case ENOSPC:
    case EDQUOT:
      return DiskFullError(message);
    case ENOMEM:
      return OutOfMemoryError(message);
    case EIO:
      return WithCause(absl::UnavailableError(message), EndClass::kDeviceError);
    case ENOENT:
      return absl::NotFoundError(message);
    case EEXIST:
      return absl::AlreadyExistsError(message);
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(message);
    default:
      return absl::UnavailableError(message);
  }
}

void CheckFailed(const char* file, int line, absl::string_view what) {
  Log().critical("{}:{}: check failed: {}", file, line, std::string(what));
  Log().flush();
  std::abort();
}

}  // namespace trainyard
