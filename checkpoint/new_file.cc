#include "checkpoint/new_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace trainyard::checkpoint {
namespace {

// Hash and write the same piece while it is in the cache.
constexpr size_t kPieceBytes = 1 << 20;

}  // namespace

absl::StatusOr<std::unique_ptr<NewFile>> NewFile::Create(const std::string& path) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) return ErrnoStatus(errno, absl::StrCat("create ", path));
  return std::unique_ptr<NewFile>(new NewFile(path, fd));
}

NewFile::~NewFile() {
  if (fd_ >= 0) close(fd_);
  if (!finished_) unlink(path_.c_str());
}

absl::Status NewFile::Append(absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = write(fd_, bytes.data(), std::min(bytes.size(), kPieceBytes));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return ErrnoStatus(errno, absl::StrCat("write ", path_));
    hash_.Update(bytes.substr(0, static_cast<size_t>(wrote)));
    size_bytes_ += static_cast<uint64_t>(wrote);
    bytes.remove_prefix(static_cast<size_t>(wrote));
  }
  return absl::OkStatus();
}

absl::StatusOr<FileRecord> NewFile::Finish() {
  if (fsync(fd_) != 0) return ErrnoStatus(errno, absl::StrCat("fsync ", path_));
  const int closed = close(fd_);
  fd_ = -1;
  if (closed != 0) return ErrnoStatus(errno, absl::StrCat("close ", path_));
  finished_ = true;
  return FileRecord{std::filesystem::path(path_).filename().string(), size_bytes_, hash_.Hex()};
}

}  // namespace trainyard::checkpoint
