// Which host this process runs on, so that two processes can tell whether they share memory.

#ifndef TRAINYARD_BASE_HOST_TOKEN_H_
#define TRAINYARD_BASE_HOST_TOKEN_H_

#include <string>

#include "absl/status/statusor.h"

namespace trainyard {

// The kernel's boot id, the IPC namespace and the file system that holds /dev/shm: equal in two
// processes only when shm_open gives them the same objects. Unavailable where /proc or /dev/shm is
// missing.
absl::StatusOr<std::string> HostToken();

}  // namespace trainyard

#endif  // TRAINYARD_BASE_HOST_TOKEN_H_
