// Files that are there whole or not at all.

#ifndef TRAINYARD_BASE_ATOMIC_FILE_H_
#define TRAINYARD_BASE_ATOMIC_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trainyard {

// Writes `bytes` to `path`: temporary file beside it, fsync, rename, fsync of the directory. After
// OK a power cut leaves the new bytes, before it the old ones. ResourceExhausted when the disk is
// full; the temporary file is removed on every failure.
absl::Status WriteFileAtomically(const std::string& path, absl::string_view bytes);

// The whole file. NotFound, PermissionDenied or Unavailable name the path.
absl::StatusOr<std::string> ReadFile(const std::string& path);

// fsync of a file or directory that already exists.
absl::Status SyncPath(const std::string& path);

// Makes `path` and its missing parents (mode 0755), with every new entry fsynced.
absl::Status MakeDirectories(const std::string& path);

}  // namespace trainyard

#endif  // TRAINYARD_BASE_ATOMIC_FILE_H_
