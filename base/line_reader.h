// The lines of a file, one after the other, with no more than one of them in memory.

#ifndef TRAINYARD_BASE_LINE_READER_H_
#define TRAINYARD_BASE_LINE_READER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/input_file.h"

namespace trainyard {

inline constexpr size_t kMaxLineBytes = size_t{128} << 20;

// Reads through an InputFile: .gz and .zst are decoded. Owned by one thread.
class LineReader {
 public:
  // Errors of InputFile::Open. A line of more than `most_bytes` is an error.
  static absl::StatusOr<std::unique_ptr<LineReader>> Open(const std::string& path,
                                                          size_t most_bytes = kMaxLineBytes);

  // Makes `line` the next line, without its '\n' and, in the first, a byte order mark; valid until
  // the next call. False at the end; a '\n' at the end of the file starts no line. Errors of
  // InputFile::Read, with the line; InvalidArgument names the line that is too long. After an error
  // the reader is not used again.
  absl::StatusOr<bool> Next(absl::string_view* line);

  // Of the line that Next gave last, from 1.
  int64_t number() const { return number_; }
  // "path:number", for errors.
  std::string place() const;

 private:
  LineReader(std::string path, std::unique_ptr<InputFile> file, size_t most_bytes);
  // Reads on; false at the end of the file.
  absl::StatusOr<bool> Refill();

  const std::string path_;
  const std::unique_ptr<InputFile> file_;
  const size_t most_bytes_;
  std::vector<char> block_;
  absl::string_view rest_;  // of `block_`: read, and not given yet
  std::string line_;        // a line that lies in several blocks
  int64_t number_ = 0;
};

}  // namespace trainyard

#endif  // TRAINYARD_BASE_LINE_READER_H_
