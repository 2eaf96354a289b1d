#include "coordinator/log_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/atomic_file.h"
#include "base/ids.h"
#include "base/status.h"

namespace trainyard::coordinator {
namespace {

namespace fs = std::filesystem;

constexpr char kSuffix[] = ".log";

// Segments of a stream: offset of the first byte -> size.
using Segments = std::map<int64_t, int64_t>;

Segments ListSegments(const std::string& directory) {
  Segments segments;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    absl::string_view digits = name;
    int64_t begin = 0;
    if (!absl::ConsumeSuffix(&digits, kSuffix) || !absl::SimpleAtoi(digits, &begin)) continue;
    struct stat info {};
    if (stat(entry.path().c_str(), &info) == 0) segments[begin] = info.st_size;
  }
  return segments;
}

std::string SegmentPath(const std::string& directory, int64_t begin) {
  return absl::StrFormat("%s/%020d%s", directory, begin, kSuffix);
}

// A file descriptor that closes itself.
class File {
 public:
  File(const std::string& path, int flags) : fd_(open(path.c_str(), flags | O_CLOEXEC, 0644)) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

absl::Status AppendDurably(const std::string& path, absl::string_view bytes) {
  File file(path, O_WRONLY | O_CREAT | O_APPEND);
  if (file.fd() < 0) return ErrnoStatus(errno, absl::StrCat("log ", path));
  const off_t before = lseek(file.fd(), 0, SEEK_END);
  while (!bytes.empty()) {
    const ssize_t wrote = write(file.fd(), bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) {
      const absl::Status status = ErrnoStatus(errno, absl::StrCat("log ", path));
      // A torn piece would be taken for the whole one when it is sent again.
      if (ftruncate(file.fd(), before) != 0) return ErrnoStatus(errno, absl::StrCat("log ", path));
      return status;
    }
    bytes.remove_prefix(wrote);
  }
  if (fdatasync(file.fd()) != 0) return ErrnoStatus(errno, absl::StrCat("log ", path));
  return absl::OkStatus();
}

absl::Status ValidateStream(const LogStream& stream) {
  TY_RETURN_IF_ERROR(ValidateName("job", stream.job_id));
  const std::vector<std::string> parts = absl::StrSplit(stream.task, '/');
  int index = 0;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[1], &index) || index < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("task \"", stream.task, "\" must be ROLE/INDEX"));
  }
  return ValidateName("role", parts[0]);
}

}  // namespace

LogStore::LogStore(LogStoreOptions options)
    : options_(std::move(options)), queue_(options_.queue_capacity), thread_([this] { Run(); }) {}

LogStore::~LogStore() {
  queue_.Close();
  thread_.join();
}

void LogStore::Append(LogPiece piece, std::function<void(absl::StatusOr<int64_t>)> done) {
  const absl::Status valid = ValidateStream(piece.stream);
  if (!valid.ok()) return done(valid);
  Item item{std::move(piece), std::move(done)};
  if (!queue_.TryPush(std::move(item))) {
    item.done(absl::ResourceExhaustedError("the log queue is full; send the piece again"));
  }
}

void LogStore::Run() {
  while (auto item = queue_.Pop(absl::InfiniteDuration())) item->done(Write(item->piece));
}

std::string LogStore::Directory(const LogStream& stream) const {
  std::string task = stream.task;
  std::replace(task.begin(), task.end(), '/', '-');
  return absl::StrCat(options_.directory, "/", stream.job_id, "/", stream.attempt, "/", task, ".",
                      stream.task_uid);
}

absl::StatusOr<int64_t> LogStore::Write(const LogPiece& piece) const {
  const std::string directory = Directory(piece.stream);
  Segments segments = ListSegments(directory);
  if (segments.empty()) TY_RETURN_IF_ERROR(MakeDirectories(directory));
  const int64_t end =
      segments.empty() ? piece.offset : segments.rbegin()->first + segments.rbegin()->second;
  absl::string_view bytes = piece.bytes;
  if (piece.offset + static_cast<int64_t>(bytes.size()) <= end) return end;
  // A gap (the agent dropped bytes) begins a new segment; an overlap was sent again.
  const int64_t begin = std::max(end, piece.offset);
  bytes.remove_prefix(begin - piece.offset);
  const bool fits =
      !segments.empty() && begin == end && segments.rbegin()->second < options_.segment_bytes;
  const int64_t segment = fits ? segments.rbegin()->first : begin;
  TY_RETURN_IF_ERROR(AppendDurably(SegmentPath(directory, segment), bytes));
  segments[segment] += bytes.size();
  int64_t total = 0;
  for (const auto& [at, size] : segments) total += size;
  while (total > options_.max_stream_bytes && segments.size() > 1) {
    std::error_code ignored;  // it goes with the next piece
    fs::remove(SegmentPath(directory, segments.begin()->first), ignored);
    total -= segments.begin()->second;
    segments.erase(segments.begin());
  }
  return begin + static_cast<int64_t>(bytes.size());
}

absl::StatusOr<std::vector<LogStream>> LogStore::Streams(const std::string& job_id,
                                                         int attempt) const {
  TY_RETURN_IF_ERROR(ValidateName("job", job_id));
  std::map<std::pair<std::string, std::pair<int, uint64_t>>, LogStream> sorted;
  std::error_code error;
  const std::string directory = absl::StrCat(options_.directory, "/", job_id, "/", attempt);
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    const size_t dot = name.rfind('.');
    const size_t dash = name.rfind('-', dot);
    int index = 0;
    uint64_t uid = 0;
    if (dot == std::string::npos || dash == std::string::npos ||
        !absl::SimpleAtoi(name.substr(dash + 1, dot - dash - 1), &index) ||
        !absl::SimpleAtoi(name.substr(dot + 1), &uid)) {
      continue;
    }
    const std::string role = name.substr(0, dash);
    sorted[{role, {index, uid}}] = {job_id, attempt, absl::StrCat(role, "/", index), uid};
  }
  std::vector<LogStream> streams;
  for (auto& [key, stream] : sorted) streams.push_back(std::move(stream));
  return streams;
}

absl::StatusOr<LogSlice> LogStore::Read(const LogStream& stream, int64_t offset,
                                        int64_t max_bytes) const {
  TY_RETURN_IF_ERROR(ValidateStream(stream));
  const std::string directory = Directory(stream);
  LogSlice slice{offset, offset, ""};
  for (const auto& [begin, size] : ListSegments(directory)) {
    if (begin + size <= offset) continue;
    File file(SegmentPath(directory, begin), O_RDONLY);
    if (file.fd() < 0 && errno == ENOENT) continue;  // its turn to go came meanwhile
    if (file.fd() < 0) return ErrnoStatus(errno, absl::StrCat("log ", directory));
    const int64_t from = std::max(begin, offset);
    std::string bytes(std::min(max_bytes, begin + size - from), '\0');
    const ssize_t got = pread(file.fd(), bytes.data(), bytes.size(), from - begin);
    if (got < 0) return ErrnoStatus(errno, absl::StrCat("log ", directory));
    bytes.resize(got);
    if (from > offset) {
      // Offsets count the task's bytes: the note stands in front of them and is none of them.
      slice.bytes = absl::StrCat("[", from - offset, " bytes of older output are not kept]\n");
    }
    slice.offset = from;
    slice.next = from + got;
    slice.bytes += bytes;
    return slice;
  }
  return slice;
}

}  // namespace trainyard::coordinator
