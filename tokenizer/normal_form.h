// Unicode normalization forms, as the tables of Hugging Face's tokenizers have them: characters
// that came after Unicode 9 neither compose, decompose nor reorder there.

#ifndef TRAINYARD_TOKENIZER_NORMAL_FORM_H_
#define TRAINYARD_TOKENIZER_NORMAL_FORM_H_

#include <string>

#include "absl/strings/string_view.h"

namespace trainyard::tokenizer {

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };

// Writes the form of valid UTF-8 to `normal`; false, and nothing is written, when `text` has it
// already. Costs little more than a look at each character where nothing changes.
bool Normalize(NormalForm form, absl::string_view text, std::string* normal);

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TOKENIZER_NORMAL_FORM_H_
