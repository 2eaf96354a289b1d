#include "tokenizer/utf8.h"

#include <simdjson.h>

#include <algorithm>

namespace trainyard::tokenizer {
namespace {

// The bounds of the second byte of a character, by its first (Unicode 15.0, table 3-7), and its
// length; length 0 when no character starts so.
struct Lead {
  int length;
  uint8_t second_min, second_max;
};

Lead LeadOf(uint8_t first) {
  if (first < 0x80) return {1, 0, 0};
  if (first < 0xC2 || first > 0xF4) return {0, 0, 0};
  if (first < 0xE0) return {2, 0x80, 0xBF};
  if (first < 0xF0) {
    return {3, static_cast<uint8_t>(first == 0xE0 ? 0xA0 : 0x80),
            static_cast<uint8_t>(first == 0xED ? 0x9F : 0xBF)};
  }
  return {4, static_cast<uint8_t>(first == 0xF0 ? 0x90 : 0x80),
          static_cast<uint8_t>(first == 0xF4 ? 0x8F : 0xBF)};
}

// How many bytes at the start could belong to one character; equal to its length when complete.
int MatchingBytes(absl::string_view bytes, const Lead& lead) {
  int matching = 1;
  const int wanted = std::min<int>(lead.length, static_cast<int>(bytes.size()));
  while (matching < wanted) {
    const uint8_t byte = static_cast<uint8_t>(bytes[matching]);
    const uint8_t least = matching == 1 ? lead.second_min : 0x80;
    const uint8_t most = matching == 1 ? lead.second_max : 0xBF;
    if (byte < least || byte > most) break;
    ++matching;
  }
  return matching;
}

}  // namespace

void AppendUtf8(char32_t c, std::string* text) {
  const auto tail = [c](int shift) { return static_cast<char>(0x80 | (c >> shift & 0x3F)); };
  if (c < 0x80) {
    text->push_back(static_cast<char>(c));
  } else if (c < 0x800) {
    text->push_back(static_cast<char>(0xC0 | c >> 6));
    text->push_back(tail(0));
  } else if (c < 0x10000) {
    text->push_back(static_cast<char>(0xE0 | c >> 12));
    text->push_back(tail(6));
    text->push_back(tail(0));
  } else {
    text->push_back(static_cast<char>(0xF0 | c >> 18));
    text->push_back(tail(12));
    text->push_back(tail(6));
    text->push_back(tail(0));
  }
}

size_t ValidUtf8Prefix(absl::string_view bytes) {
  size_t valid = 0;
  while (valid < bytes.size()) {
    const Lead lead = LeadOf(static_cast<uint8_t>(bytes[valid]));
    if (lead.length == 0) break;
    if (MatchingBytes(bytes.substr(valid), lead) < lead.length) break;
    valid += lead.length;
  }
  return valid;
}

BrokenUtf8 ClassifyBrokenUtf8(absl::string_view bytes) {
  const Lead lead = LeadOf(static_cast<uint8_t>(bytes[0]));
  if (lead.length == 0) return {1, false};
  const size_t matching = MatchingBytes(bytes, lead);
  return {matching, matching == bytes.size()};
}

bool IsValidUtf8(absl::string_view bytes) {
  return simdjson::validate_utf8(bytes.data(), bytes.size());
}

std::string TakeCertainUtf8(std::string* pending) {
  std::string text;
  absl::string_view rest = *pending;
  while (!rest.empty()) {
    const size_t valid = ValidUtf8Prefix(rest);
    text.append(rest.data(), valid);
    rest.remove_prefix(valid);
    if (rest.empty()) break;
    const BrokenUtf8 broken = ClassifyBrokenUtf8(rest);
    if (broken.unfinished) break;
    text.append(kReplacementCharacter);
    rest.remove_prefix(broken.length);
  }
  pending->erase(0, pending->size() - rest.size());
  return text;
}

std::string ReplaceInvalidUtf8(absl::string_view bytes) {
  std::string pending(bytes);
  std::string text = TakeCertainUtf8(&pending);
  if (!pending.empty()) text.append(kReplacementCharacter);
  return text;
}

}  // namespace trainyard::tokenizer
