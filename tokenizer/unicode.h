// Characters as Hugging Face's tokenizers see them: by Unicode 16 in patterns and 17 elsewhere. The
// tables of PCRE2 and utf8proc are older; what they lack is said here.

#ifndef TRAINYARD_TOKENIZER_UNICODE_H_
#define TRAINYARD_TOKENIZER_UNICODE_H_

#include <string>

#include "absl/strings/string_view.h"

namespace trainyard::tokenizer {

// A character of the same category and the same length in UTF-8 that PCRE2 and utf8proc know; `c`
// itself where they know it.
char32_t KnownCharacter(char32_t c);

// Writes valid UTF-8 with KnownCharacter for each of its characters to `known`; false, and nothing
// is written, where that would be `text` itself.
bool ReplaceNewCharacters(absl::string_view text, std::string* known);

bool IsWhiteSpace(char32_t c);  // the property White_Space
bool IsNumber(char32_t c);      // the categories Nd, Nl and No

// The lower case of `c` alone, as UTF-8, appended.
void AppendLowercase(char32_t c, std::string* text);

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TOKENIZER_UNICODE_H_
