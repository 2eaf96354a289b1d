#include "worker/published_weights.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/status.h"

namespace trainyard::worker {
namespace {

constexpr char kPrefix[] = "trainyard-weights-";  // then the owner's process id and random letters
constexpr char kDirectory[] = "/dev/shm";

absl::StatusOr<char*> Map(int file, size_t size_bytes) {
  // Without reserved pages a full /dev/shm would be a SIGBUS in the middle of a copy.
  if (const int error = posix_fallocate(file, 0, static_cast<off_t>(size_bytes)); error != 0) {
    return ErrnoStatus(error, absl::StrCat(size_bytes, " bytes of shared memory"));
  }
  void* const data = mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (data == MAP_FAILED) return ErrnoStatus(errno, "mapping shared memory");
  return static_cast<char*>(data);
}

}  // namespace

absl::StatusOr<std::unique_ptr<SharedMemory>> SharedMemory::Create(size_t size_bytes) {
  const std::string name = absl::StrCat("/", RandomId(absl::StrCat(kPrefix, getpid())));
  const int file = shm_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file >= 0) {
    const absl::StatusOr<char*> data = Map(file, size_bytes);
    close(file);
    if (data.ok()) {
      return std::unique_ptr<SharedMemory>(new SharedMemory(name, *data, size_bytes));
    }
    shm_unlink(name.c_str());
    Log().warn("published weights are not shared on this host: {}", data.status().ToString());
  }
  void* const data = mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (data == MAP_FAILED) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no memory for ", size_bytes, " bytes of published weights"));
  }
  return std::unique_ptr<SharedMemory>(
      new SharedMemory("", static_cast<char*>(data), size_bytes));
}

SharedMemory::~SharedMemory() {
  munmap(data_, size_bytes_);
  if (!name_.empty()) shm_unlink(name_.c_str());
}

void SharedMemory::RemoveStale() {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(kDirectory, error)) {
    const std::string file = entry.path().filename().string();
    absl::string_view rest = file;
    if (!absl::ConsumePrefix(&rest, kPrefix)) continue;
    const std::vector<absl::string_view> parts = absl::StrSplit(rest, '-');
    int process = 0;
    if (!absl::SimpleAtoi(parts.front(), &process) || process <= 0) continue;
    if (kill(process, 0) == 0 || errno != ESRCH) continue;
    Log().info("removing /dev/shm/{}: process {} is gone", file, process);
    shm_unlink(absl::StrCat("/", file).c_str());
  }
}

}  // namespace trainyard::worker
