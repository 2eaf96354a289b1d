// The safetensors file format, read and written without torch: 8 bytes little-endian header length,
// a JSON header, then the tensors' bytes. Format: https://github.com/huggingface/safetensors.
// See checkpoint/format.md for what we add (nothing to the format, an order and an alignment).

#ifndef TRAINYARD_CHECKPOINT_SAFETENSORS_H_
#define TRAINYARD_CHECKPOINT_SAFETENSORS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace trainyard::checkpoint {

enum class DType { kBool, kU8, kI8, kI16, kU16, kF16, kBF16, kI32, kU32, kF32, kI64, kU64, kF64 };

// "BF16", as in a header. And back: InvalidArgument on a name outside DType (such as "F8_E4M3").
absl::string_view DTypeName(DType dtype);
absl::StatusOr<DType> ParseDType(absl::string_view name);
size_t DTypeSizeBytes(DType dtype);

// One tensor of a file. `begin` and `end` count from the end of the header.
struct TensorEntry {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  uint64_t begin = 0;
  uint64_t end = 0;
};

struct SafetensorsHeader {
  uint64_t data_begin = 0;                      // bytes before the tensors: 8 + header length
  std::vector<TensorEntry> tensors;             // ordered by offset
  std::map<std::string, std::string> metadata;  // "__metadata__"
};

// Largest header that is read: 100 MB, as in the reference implementation.
inline constexpr uint64_t kMaxHeaderBytes = 100'000'000;

// Parses the header at the start of `file`, all bytes of the file named `path`. InvalidArgument
// names the file, the tensor and the offence: truncated, absurd header length, no JSON, duplicate
// name, unknown dtype, negative or overflowing shape, offsets that overlap, leave holes, do not
// match shape x dtype, or do not end with the file.
absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(absl::string_view file,
                                                         const std::string& path);

// A file mapped read-only. A value to read from; the mapping lives as long as the object.
// Thread-safe.
class SafetensorsFile {
 public:
  // NotFound, PermissionDenied, or what ParseSafetensorsHeader says.
  static absl::StatusOr<std::unique_ptr<SafetensorsFile>> Open(const std::string& path);
  ~SafetensorsFile();
  SafetensorsFile(const SafetensorsFile&) = delete;
  SafetensorsFile& operator=(const SafetensorsFile&) = delete;

  const std::string& path() const { return path_; }
  const std::vector<TensorEntry>& tensors() const { return header_.tensors; }
  const std::map<std::string, std::string>& metadata() const { return header_.metadata; }
  // Null when there is none of this name.
  const TensorEntry* Find(absl::string_view name) const;
  // The tensor's bytes inside the mapping, little-endian, row-major.
  absl::string_view Bytes(const TensorEntry& entry) const;
  // Gives the memory of some of the mapping's bytes back (whole pages of it). They may be read
  // again, from the file.
  void Release(absl::string_view bytes) const;

 private:
  SafetensorsFile(std::string path, absl::string_view mapping);

  const std::string path_;
  const absl::string_view mapping_;
  SafetensorsHeader header_;
  std::map<std::string, size_t, std::less<>> index_;
};

// A tensor to be written; the bytes stay the caller's and must not change meanwhile.
struct TensorBytes {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  absl::string_view bytes;
};

// What was written, as a manifest records it.
struct FileRecord {
  std::string path;  // relative to the manifest's directory
  uint64_t size_bytes = 0;
  std::string xxh3;  // XXH3-128, 32 hex digits
};

// Writes `path` and fsyncs it; an existing file is AlreadyExists. Tensors are laid out in the order
// of descending item size, then name, so that every one is aligned. The checksum is taken while
// writing. A failure removes what was written. FileRecord::path is the last part of `path`.
absl::StatusOr<FileRecord> WriteSafetensors(const std::string& path,
                                            absl::Span<const TensorBytes> tensors,
                                            const std::map<std::string, std::string>& metadata);

}  // namespace trainyard::checkpoint

#endif  // TRAINYARD_CHECKPOINT_SAFETENSORS_H_
