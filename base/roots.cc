#include "base/roots.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/ids.h"
#include "base/status.h"

namespace trainyard {
namespace {

constexpr char kScheme[] = "root://";

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

// For kernels without openat2: the real path of what exists must lie beneath the real root.
int ErrnoWithoutOpenat2(const std::string& directory, const std::string& path) {
  std::error_code error;
  const std::filesystem::path root = std::filesystem::canonical(directory, error);
  if (error) return error.value();
  const std::filesystem::path real = std::filesystem::canonical(root / path, error);
  if (error) return error.value();
  const std::string relative = real.lexically_relative(root).string();
  return relative == ".." || absl::StartsWith(relative, "../") ? EXDEV : 0;
}

// 0 when `path` exists beneath `root_fd` without leaving it, else why not.
int LookUpBeneath(int root_fd, const std::string& directory, const std::string& path) {
  open_how how = {};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  const Descriptor found(
      static_cast<int>(syscall(SYS_openat2, root_fd, path.c_str(), &how, sizeof(how))));
  if (found.get() >= 0) return 0;
  if (errno != ENOSYS && errno != EPERM) return errno;
  return ErrnoWithoutOpenat2(directory, path);
}

absl::Status Outside(absl::string_view uri, const std::string& directory) {
  return absl::PermissionDeniedError(
      absl::StrCat(uri, " leaves its root ", directory,
                   " (by a symbolic link); name a file that lies beneath the root"));
}

}  // namespace

absl::StatusOr<RootUri> ParseRootUri(absl::string_view uri) {
  const auto refuse = [&](absl::string_view why) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", uri, "\" is not root://NAME/relative/path: ", why));
  };
  absl::string_view rest = uri;
  if (!absl::ConsumePrefix(&rest, kScheme)) return refuse("it does not begin with root://");
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(rest, absl::MaxSplits('/', 1));
  RootUri parsed{std::string(parts.first), std::string(parts.second)};
  if (absl::Status named = ValidateName("root", parsed.root); !named.ok()) {
    return refuse(named.message());
  }
  if (parsed.path.find('\0') != std::string::npos) return refuse("it has a zero byte");
  while (absl::EndsWith(parsed.path, "/")) parsed.path.pop_back();
  if (parsed.path.empty()) return parsed;
  for (absl::string_view component : absl::StrSplit(parsed.path, '/')) {
    if (component.empty()) return refuse("it has an empty component");
    if (component == "." || component == "..") return refuse("\".\" and \"..\" are not allowed");
  }
  return parsed;
}

std::string FormatRootUri(const RootUri& uri) {
  return uri.path.empty() ? absl::StrCat(kScheme, uri.root)
                          : absl::StrCat(kScheme, uri.root, "/", uri.path);
}

std::string JoinRootUri(absl::string_view uri, absl::string_view relative) {
  return absl::StrCat(absl::StripSuffix(uri, "/"), "/", absl::StripPrefix(relative, "/"));
}

absl::StatusOr<std::string> Roots::Resolve(absl::string_view uri) const {
  TY_ASSIGN_OR_RETURN(const RootUri parsed, ParseRootUri(uri));
  const auto root = directories_.find(parsed.root);
  if (root == directories_.end()) {
    std::vector<std::string> known;
    for (const auto& [name, directory] : directories_) known.push_back(name);
    return absl::NotFoundError(absl::StrCat(
        uri, ": this machine has no root \"", parsed.root, "\" (it has: ",
        known.empty() ? "none" : absl::StrJoin(known, ", "),
        "); declare it in the agent's config"));
  }
  const std::string& directory = root->second;
  const Descriptor root_fd(open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (root_fd.get() < 0) {
    return ErrnoStatus(errno, absl::StrCat(uri, ": directory ", directory, " of root \"",
                                           parsed.root, "\""));
  }
  // The longest part that exists must lie beneath; what is made below it then does too.
  std::string existing = parsed.path;
  while (!existing.empty()) {
    const int error = LookUpBeneath(root_fd.get(), directory, existing);
    if (error == 0) break;
    if (error == EXDEV || error == ELOOP) return Outside(uri, directory);
    if (error != ENOENT) return ErrnoStatus(error, absl::StrCat(uri, " below ", directory));
    struct stat dangling;
    if (fstatat(root_fd.get(), existing.c_str(), &dangling, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISLNK(dangling.st_mode)) {
      return Outside(uri, directory);
    }
    const size_t slash = existing.rfind('/');
    existing.resize(slash == std::string::npos ? 0 : slash);
  }
  return parsed.path.empty() ? directory : absl::StrCat(directory, "/", parsed.path);
}

absl::StatusOr<std::string> Roots::ResolveExisting(absl::string_view uri) const {
  TY_ASSIGN_OR_RETURN(std::string path, Resolve(uri));
  struct stat status;
  if (stat(path.c_str(), &status) != 0) {
    return ErrnoStatus(errno, absl::StrCat(uri, " (", path, " here)"));
  }
  return path;
}

}  // namespace trainyard
