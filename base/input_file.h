// Files that people bring, read from front to back: plain, or compressed and decoded on the way.

#ifndef TRAINYARD_BASE_INPUT_FILE_H_
#define TRAINYARD_BASE_INPUT_FILE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/decompressor.h"

namespace trainyard {

// The most that a text which has to lie in memory whole may have: a few compressed kilobytes can
// stand for more than there is memory.
inline constexpr size_t kMaxTextBytes = size_t{1} << 30;

inline constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";

// By the ending of the name: .gz, .zst.
Compression CompressionOf(absl::string_view path);
// The name without that ending, which says what the text is: "a.jsonl" of "a.jsonl.gz".
absl::string_view WithoutCompression(absl::string_view path);

// Owned by one thread. Memory is bounded by the compression's window and a block.
class InputFile {
 public:
  // NotFound, PermissionDenied or Unavailable name the path. InvalidArgument: a compression that is
  // not read (.xz, .bz2, ...), or a compressed file whose name does not say so.
  static absl::StatusOr<std::unique_ptr<InputFile>> Open(const std::string& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  // The next bytes of the text into `output`, which is not empty: how many, 0 at the end. DataLoss
  // (a user's error, see base/cause.h) names the file and its byte where the compressed stream is
  // damaged or cut short.
  absl::StatusOr<size_t> Read(absl::Span<char> output);

 private:
  InputFile(std::string path, int fd);
  absl::StatusOr<size_t> ReadStored(absl::Span<char> output);

  const std::string path_;
  const int fd_;
  const std::unique_ptr<Decompressor> decompressor_;  // null: a plain file
  std::vector<char> block_;
  absl::string_view stored_;    // of `block_`: read and not decoded yet
  int64_t stored_bytes_ = 0;    // read of the file so far
  bool more_to_decode_ = false;  // the decompressor may have more without input
};

// The whole text, without a byte order mark. Errors of InputFile; InvalidArgument when it has more
// than `most_bytes`.
absl::StatusOr<std::string> ReadText(const std::string& path, size_t most_bytes = kMaxTextBytes);

}  // namespace trainyard

#endif  // TRAINYARD_BASE_INPUT_FILE_H_
