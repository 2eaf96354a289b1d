// A file that did not exist before, written once, with its checksum.

#ifndef TRAINYARD_CHECKPOINT_NEW_FILE_H_
#define TRAINYARD_CHECKPOINT_NEW_FILE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/checksum.h"
#include "checkpoint/safetensors.h"

namespace trainyard::checkpoint {

// Owned by one thread. Unless Finish was OK, the destructor removes the file.
class NewFile {
 public:
  // AlreadyExists when `path` is there.
  static absl::StatusOr<std::unique_ptr<NewFile>> Create(const std::string& path);
  ~NewFile();
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  absl::Status Append(absl::string_view bytes);

  // fsyncs and closes. The record's path is the last part of the path.
  absl::StatusOr<FileRecord> Finish();

 private:
  NewFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}

  const std::string path_;
  int fd_;
  bool finished_ = false;
  uint64_t size_bytes_ = 0;
  Xxh3 hash_;
};

}  // namespace trainyard::checkpoint

#endif  // TRAINYARD_CHECKPOINT_NEW_FILE_H_
