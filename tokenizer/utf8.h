// UTF-8, read by hand where speed counts.

#ifndef TRAINYARD_TOKENIZER_UTF8_H_
#define TRAINYARD_TOKENIZER_UTF8_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace trainyard::tokenizer {

inline constexpr size_t kMaxUtf8Bytes = 4;

// Bytes of the character that starts with `first`. For valid UTF-8 only.
inline int Utf8Length(char first) {
  const uint8_t byte = static_cast<uint8_t>(first);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

// The character at `at`. For valid UTF-8 only.
inline char32_t DecodeUtf8(const char* at) {
  const auto byte = [at](int i) { return static_cast<char32_t>(static_cast<uint8_t>(at[i])); };
  switch (Utf8Length(*at)) {
    case 1:
      return byte(0);
    case 2:
      return (byte(0) & 0x1F) << 6 | (byte(1) & 0x3F);
    case 3:
      return (byte(0) & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
    default:
      return (byte(0) & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 |
             (byte(3) & 0x3F);
  }
}

// `c` as UTF-8, appended.
void AppendUtf8(char32_t c, std::string* text);

// The length of the longest prefix that is valid UTF-8 (no surrogates, no overlong forms).
size_t ValidUtf8Prefix(absl::string_view bytes);

// What `bytes`, which do not start with a valid character, begin with.
struct BrokenUtf8 {
  size_t length = 0;        // of the maximal part of a character, at least 1
  bool unfinished = false;  // more bytes could make it a character
};
BrokenUtf8 ClassifyBrokenUtf8(absl::string_view bytes);

bool IsValidUtf8(absl::string_view bytes);

inline constexpr char kReplacementCharacter[] = "\xEF\xBF\xBD";  // U+FFFD

// `bytes` with each maximal broken run as one U+FFFD, as Unicode recommends and Rust's
// from_utf8_lossy does: always valid UTF-8.
std::string ReplaceInvalidUtf8(absl::string_view bytes);

// The same for bytes that still arrive: takes what is certain from the front of `pending`; the
// beginning of a character stays.
std::string TakeCertainUtf8(std::string* pending);

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TOKENIZER_UTF8_H_
