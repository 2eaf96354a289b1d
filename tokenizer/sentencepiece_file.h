// SentencePiece's `.model` files (Kudo and Richardson 2018), as published with Llama 2 and Mistral.

#ifndef TRAINYARD_TOKENIZER_SENTENCEPIECE_FILE_H_
#define TRAINYARD_TOKENIZER_SENTENCEPIECE_FILE_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tokenizer/tokenizer.h"

namespace trainyard::tokenizer {

// The tokenizer that Hugging Face converts the file to: its merges in order of score; white space
// as U+2581, with one before each text; characters that it lacks as bytes; a begin token by the
// template. Control pieces become special tokens, user-defined ones added tokens. InvalidArgument
// names what is wrong with the file, or not supported: models other than BPE, normalization rules
// (only "identity"), removed or unescaped white space, white space as a suffix, unused pieces.
absl::StatusOr<TokenizerSpec> ParseSentencePieceModel(absl::string_view bytes,
                                                      absl::string_view document);

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TOKENIZER_SENTENCEPIECE_FILE_H_
