// Checksums: XXH3 against corruption, SHA-256 where identity matters.

#ifndef TRAINYARD_BASE_CHECKSUM_H_
#define TRAINYARD_BASE_CHECKSUM_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trainyard {

// XXH3 of the bytes, 64 bits.
uint64_t Xxh3Hash64(absl::string_view bytes);

// XXH3-128 of the bytes, as 32 lower-case hex digits.
std::string Xxh3Hex(const void* data, size_t size_bytes);
std::string Xxh3Hex(absl::string_view bytes);

// SHA-256 of the bytes, as 64 lower-case hex digits.
std::string Sha256Hex(absl::string_view bytes);

// SHA-256 / XXH3-128 of a file's bytes, read in pieces. NotFound, PermissionDenied or Unavailable
// name the path.
absl::StatusOr<std::string> FileSha256Hex(const std::string& path);
absl::StatusOr<std::string> FileXxh3Hex(const std::string& path);

// XXH3-128 of bytes that arrive in pieces. Not thread-safe.
class Xxh3 {
 public:
  Xxh3();
  ~Xxh3();
  void Update(absl::string_view bytes);
  // The digest in hex of what came so far.
  std::string Hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// SHA-256 of bytes that arrive in pieces. Not thread-safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  void Update(absl::string_view bytes);
  // The digest in hex. The object is spent.
  std::string FinishHex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace trainyard

#endif  // TRAINYARD_BASE_CHECKSUM_H_
