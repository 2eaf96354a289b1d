// GPT-2's alphabet: each of the 256 bytes as one printable character, so that tokens can stand in
// JSON and text files.

#ifndef TRAINYARD_TOKENIZER_BYTE_ALPHABET_H_
#define TRAINYARD_TOKENIZER_BYTE_ALPHABET_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace trainyard::tokenizer {

// The bytes in the order of their characters: the order of their ids in a fresh vocabulary.
const std::array<uint8_t, 256>& BytesInAlphabetOrder();

// `bytes` in the alphabet, as UTF-8.
std::string BytesToAlphabet(absl::string_view bytes);

// And back; nothing when `text` holds a character outside of the alphabet.
std::optional<std::string> AlphabetToBytes(absl::string_view text);

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TOKENIZER_BYTE_ALPHABET_H_
