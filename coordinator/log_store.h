// What tasks printed, kept apart from the state of jobs: segment files per task, capped.

#ifndef TRAINYARD_COORDINATOR_LOG_STORE_H_
#define TRAINYARD_COORDINATOR_LOG_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "base/bounded_queue.h"

namespace trainyard::coordinator {

// Whose output: one process.
struct LogStream {
  std::string job_id;
  int attempt = 0;
  std::string task;  // "rollout/0"
  uint64_t task_uid = 0;
};

// Bytes of a stream from `offset`, counted from the process's first byte.
struct LogPiece {
  LogStream stream;
  int64_t offset = 0;
  std::string bytes;
};

// What a reader gets: bytes from `offset` on (a note about lost ones in front), read on at `next`.
struct LogSlice {
  int64_t offset = 0;
  int64_t next = 0;
  std::string bytes;
};

struct LogStoreOptions {
  std::string directory;
  int64_t max_stream_bytes = int64_t{64} << 20;
  int64_t segment_bytes = int64_t{4} << 20;
  size_t queue_capacity = 1024;
};

// One writer thread; reads on the caller's. Thread-safe.
//
// A stream is a directory JOB/ATTEMPT/ROLE-INDEX.UID of files named by the offset of their first
// byte. When a stream grows over its cap the oldest segment goes; a reader finds a line that says
// so in its place.
class LogStore {
 public:
  explicit LogStore(LogStoreOptions options);
  // Writes what is queued first.
  ~LogStore();
  LogStore(const LogStore&) = delete;
  LogStore& operator=(const LogStore&) = delete;

  // Keeps the piece, then tells the offset up to which the stream is on disk (fsynced), on the
  // writer's thread. Bytes that are there already are skipped: a piece may be sent again.
  // ResourceExhausted when the queue or the disk is full: send it again later. InvalidArgument for
  // names that are no names.
  void Append(LogPiece piece, std::function<void(absl::StatusOr<int64_t>)> done);

  // Streams of an attempt by role, index and task_uid.
  absl::StatusOr<std::vector<LogStream>> Streams(const std::string& job_id, int attempt) const;

  // At most `max_bytes` from `offset` on; the slice's own offset is larger where older bytes are
  // gone (its first line says so). Empty bytes: nothing there yet.
  absl::StatusOr<LogSlice> Read(const LogStream& stream, int64_t offset, int64_t max_bytes) const;

 private:
  struct Item {
    LogPiece piece;
    std::function<void(absl::StatusOr<int64_t>)> done;
  };

  void Run();
  absl::StatusOr<int64_t> Write(const LogPiece& piece) const;
  std::string Directory(const LogStream& stream) const;

  const LogStoreOptions options_;
  BoundedQueue<Item> queue_;
  std::thread thread_;
};

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_LOG_STORE_H_
