#include "coordinator/store_reserve.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <limits>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"

namespace trainyard::coordinator {
namespace {

// A database may grow by this much of its limit before it counts as full again.
constexpr double kComfort = 0.95;

std::string Allocate(const std::string& path, int64_t size_bytes) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return absl::StrCat(path, ": ", std::strerror(errno));
  const int error = size_bytes > 0 ? posix_fallocate(fd, 0, size_bytes) : 0;
  close(fd);
  if (error == 0) return "";
  unlink(path.c_str());
  return absl::StrCat("no room for the reserve of ", size_bytes >> 20, " MiB at ", path, " (",
                      std::strerror(error), "): free some space");
}

}  // namespace

DiskReserve::DiskReserve(ReserveOptions options, Database* database)
    : options_(std::move(options)), database_(*database) {}

void DiskReserve::Fill() {
  if (missing_reason_.empty()) return;
  if (!DatabaseHasRoom()) {
    missing_reason_ = absl::StrCat("the database has reached its limit of ",
                                   options_.max_database_bytes >> 20, " MiB: raise it");
    return;
  }
  missing_reason_ = Allocate(options_.path, options_.size_bytes);
  if (missing_reason_.empty()) {
    LimitDatabase(options_.max_database_bytes - options_.size_bytes);
  }
}

bool DiskReserve::Release() {
  if (!missing_reason_.empty()) return false;
  missing_reason_ = absl::StrCat("no space left for the state beside ", options_.path,
                                 ": free some, or raise the limit");
  unlink(options_.path.c_str());
  LimitDatabase(options_.max_database_bytes);
  return true;
}

bool DiskReserve::DatabaseHasRoom() {
  if (options_.max_database_bytes == 0) return true;
  const absl::StatusOr<int64_t> page_bytes = database_.QueryInt("PRAGMA page_size");
  const absl::StatusOr<int64_t> pages = database_.QueryInt("PRAGMA page_count");
  const absl::StatusOr<int64_t> free = database_.QueryInt("PRAGMA freelist_count");
  if (!page_bytes.ok() || !pages.ok() || !free.ok()) return false;
  const int64_t limit = options_.max_database_bytes - options_.size_bytes;
  return static_cast<double>((*pages - *free) * *page_bytes) < kComfort * limit;
}

void DiskReserve::LimitDatabase(int64_t bytes) {
  if (options_.max_database_bytes == 0) return;
  const absl::StatusOr<int64_t> page_bytes = database_.QueryInt("PRAGMA page_size");
  if (!page_bytes.ok()) return;
  const auto status =
      database_.QueryInt(absl::StrCat("PRAGMA max_page_count=", bytes / *page_bytes)).status();
  if (!status.ok()) Log().warn("could not limit the database: {}", std::string(status.message()));
}

}  // namespace trainyard::coordinator
