// Texts made to break tokenizers, by seed.

#ifndef TRAINYARD_TESTS_TOKENIZER_RANDOM_TEXT_H_
#define TRAINYARD_TESTS_TOKENIZER_RANDOM_TEXT_H_

#include <cstdint>
#include <string>

namespace trainyard::tokenizer {

// `pieces` snippets drawn from English, contractions, Korean, code, emoji, white space of all
// kinds, control characters, numbers and special look-alikes. Valid UTF-8.
std::string RandomText(uint64_t seed, int pieces);

// Any bytes.
std::string RandomBytes(uint64_t seed, int size);

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TESTS_TOKENIZER_RANDOM_TEXT_H_
