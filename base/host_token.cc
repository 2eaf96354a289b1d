#include "base/host_token.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/atomic_file.h"
#include "base/status.h"

namespace trainyard {

absl::StatusOr<std::string> HostToken() {
  absl::StatusOr<std::string> boot_id = ReadFile("/proc/sys/kernel/random/boot_id");
  if (!boot_id.ok()) return absl::UnavailableError(boot_id.status().message());
  char space[64] = {};
  if (readlink("/proc/self/ns/ipc", space, sizeof(space) - 1) < 0) {
    return absl::UnavailableError(ErrnoStatus(errno, "/proc/self/ns/ipc").message());
  }
  struct stat shared = {};
  if (stat("/dev/shm", &shared) != 0) {
    return absl::UnavailableError(ErrnoStatus(errno, "/dev/shm").message());
  }
  return absl::StrCat(absl::StripAsciiWhitespace(*boot_id), "/", space, "/", shared.st_dev);
}

}  // namespace trainyard
