#include "tokenizer/byte_alphabet.h"

#include "tokenizer/utf8.h"

namespace trainyard::tokenizer {
namespace {

// Printable Latin-1 characters stand for themselves; the other 68 bytes take U+0100 and up, in
// order.
constexpr bool StandsForItself(int byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

constexpr int kAlphabetEnd = 0x100 + 68;

struct Alphabet {
  std::array<char32_t, 256> character{};
  std::array<int16_t, kAlphabetEnd> byte{};  // by character; -1: none
  std::array<uint8_t, 256> in_order{};
};

constexpr Alphabet MakeAlphabet() {
  Alphabet alphabet;
  alphabet.byte.fill(-1);
  int shifted = 0;
  for (int byte = 0; byte < 256; ++byte) {
    const int character = StandsForItself(byte) ? byte : 0x100 + shifted++;
    alphabet.character[byte] = static_cast<char32_t>(character);
    alphabet.byte[character] = static_cast<int16_t>(byte);
  }
  int next = 0;
  for (const int16_t byte : alphabet.byte) {
    if (byte >= 0) alphabet.in_order[next++] = static_cast<uint8_t>(byte);
  }
  return alphabet;
}

constexpr Alphabet kAlphabet = MakeAlphabet();

}  // namespace

const std::array<uint8_t, 256>& BytesInAlphabetOrder() { return kAlphabet.in_order; }

std::string BytesToAlphabet(absl::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    AppendUtf8(kAlphabet.character[static_cast<uint8_t>(byte)], &text);
  }
  return text;
}

std::optional<std::string> AlphabetToBytes(absl::string_view text) {
  if (ValidUtf8Prefix(text) != text.size()) return std::nullopt;
  std::string bytes;
  for (size_t at = 0; at < text.size(); at += Utf8Length(text[at])) {
    const char32_t character = DecodeUtf8(text.data() + at);
    if (character >= kAlphabetEnd || kAlphabet.byte[character] < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(kAlphabet.byte[character]));
  }
  return bytes;
}

}  // namespace trainyard::tokenizer
