// Compressed streams of bytes, decoded block by block in bounded memory.

#ifndef TRAINYARD_BASE_DECOMPRESSOR_H_
#define TRAINYARD_BASE_DECOMPRESSOR_H_

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace trainyard {

enum class Compression {
  kNone,
  kGzip,  // RFC 1952: one member or several, zero bytes after a member are padding
  kZstd,  // RFC 8878: one frame or several, skippable ones too, windows up to 128 MiB
};

// Owned by one thread. Holds at most a window: 32 KiB of gzip, 128 MiB of zstd.
class Decompressor {
 public:
  virtual ~Decompressor() = default;

  // Decodes from the front of `input` into `output`, which is not empty, and takes away from
  // `input` what it consumed. The bytes written; when they fill `output`, more may come without
  // input, and when there are none, more input is wanted. DataLoss says what is wrong.
  virtual absl::StatusOr<size_t> Decode(absl::string_view* input, absl::Span<char> output) = 0;

  // Whether the stream may end with what was consumed: no member or frame is open.
  virtual bool AtEnd() const = 0;
};

// Null for kNone.
std::unique_ptr<Decompressor> MakeDecompressor(Compression compression);

}  // namespace trainyard

#endif  // TRAINYARD_BASE_DECOMPRESSOR_H_
