// Files by name: root://NAME/relative/path, where the operator says what directory NAME is here.

#ifndef TRAINYARD_BASE_ROOTS_H_
#define TRAINYARD_BASE_ROOTS_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trainyard {

// Name below a root of the file that proves which storage the root is (see agent.proto, RootProof).
inline constexpr char kClusterIdFile[] = ".trainyard-cluster-id";

// A parsed root:// name. `path` is relative, without empty, "." or ".." components; it may be empty
// (the root itself).
struct RootUri {
  std::string root;
  std::string path;
};

// InvalidArgument names the text and the rule it breaks.
absl::StatusOr<RootUri> ParseRootUri(absl::string_view uri);

// "root://NAME/path" of the two.
std::string FormatRootUri(const RootUri& uri);

// `uri` with `relative` appended beneath it.
std::string JoinRootUri(absl::string_view uri, absl::string_view relative);

// The roots of one machine. A value; reads the file system only in Resolve.
class Roots {
 public:
  Roots() = default;
  // Root name -> absolute directory.
  explicit Roots(std::map<std::string, std::string> directories)
      : directories_(std::move(directories)) {}

  // The absolute path of `uri`. What exists of it is looked up beneath the root (openat2 with
  // RESOLVE_BENEATH, or component by component on kernels without it), so that neither ".." nor a
  // symbolic link leads outside; what does not exist yet may follow. InvalidArgument: malformed.
  // NotFound: no such root on this machine (the known ones are named), or its directory is missing.
  // PermissionDenied: it leaves the root.
  absl::StatusOr<std::string> Resolve(absl::string_view uri) const;

  // As Resolve, but the file or directory must exist (NotFound names uri and path).
  absl::StatusOr<std::string> ResolveExisting(absl::string_view uri) const;

  const std::map<std::string, std::string>& directories() const { return directories_; }

 private:
  std::map<std::string, std::string> directories_;
};

}  // namespace trainyard

#endif  // TRAINYARD_BASE_ROOTS_H_
