#include "worker/published_weights.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/cause.h"
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
    if (data.ok()) {
      return std::unique_ptr<SharedMemory>(
          new SharedMemory({.name = name, .file = file, .data = *data, .size_bytes = size_bytes}));
    }
    close(file);
    shm_unlink(name.c_str());
    Log().warn("published weights are not shared on this host: {}", data.status().ToString());
  }
  void* const data = mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (data == MAP_FAILED) {
    return OutOfMemoryError(
        absl::StrCat("no memory for ", size_bytes, " bytes of published weights"));
  }
  return std::unique_ptr<SharedMemory>(
      new SharedMemory({.data = static_cast<char*>(data), .size_bytes = size_bytes}));
}

SharedMemory::~SharedMemory() {
  munmap(data_, size_bytes_);
  if (file_ < 0) return;
  close(file_);
  shm_unlink(name_.c_str());
}

bool SharedMemory::KeepReadersOut() { return file_ < 0 || flock(file_, LOCK_EX | LOCK_NB) == 0; }

void SharedMemory::LetReadersIn() {
  if (file_ >= 0) TY_CHECK(flock(file_, LOCK_UN) == 0);
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

std::shared_ptr<SharedMemory> SnapshotMemory::TakeKept(size_t size_bytes) {
  for (const std::shared_ptr<SharedMemory>& memory : kept_) {
    if (memory.use_count() > 1 || memory->size_bytes() != size_bytes) continue;
    // Who let go of it last read it before that.
    std::atomic_thread_fence(std::memory_order_acquire);
    if (memory->KeepReadersOut()) return memory;
  }
  return nullptr;
}

absl::StatusOr<std::shared_ptr<SharedMemory>> SnapshotMemory::Take(size_t size_bytes) {
  {
    absl::MutexLock lock(&mutex_);
    if (auto memory = TakeKept(size_bytes); memory != nullptr) return memory;
  }
  TY_ASSIGN_OR_RETURN(std::shared_ptr<SharedMemory> memory, SharedMemory::Create(size_bytes));
  TY_CHECK(memory->KeepReadersOut());  // nobody knows its name
  std::shared_ptr<SharedMemory> dropped;  // freed outside of the lock
  absl::MutexLock lock(&mutex_);
  if (kept_.size() == kMostKept) {
    dropped = std::move(kept_.front());
    kept_.erase(kept_.begin());
  }
  kept_.push_back(memory);
  return memory;
}

}  // namespace trainyard::worker
