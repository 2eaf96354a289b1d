// Turns ids into text while they arrive, without ever giving out half a character.

#ifndef TRAINYARD_TOKENIZER_STREAM_DECODER_H_
#define TRAINYARD_TOKENIZER_STREAM_DECODER_H_

#include <string>

#include "tokenizer/tokenizer.h"

namespace trainyard::tokenizer {

// Every string it returns is valid UTF-8, and so is their sum. Bytes that can not become UTF-8 any
// more turn into U+FFFD, one for each maximal broken run, as Unicode recommends. Owned by one
// thread; the tokenizer must outlive it.
class StreamDecoder {
 public:
  StreamDecoder(const Tokenizer& tokenizer, SpecialTokens specials)
      : tokenizer_(tokenizer), specials_(specials) {}

  // The text that `id` completes; may be empty while a character waits for its last bytes.
  std::string Push(TokenId id);
  // What is left: an unfinished character becomes U+FFFD. The decoder starts anew.
  std::string Finish();

 private:
  const Tokenizer& tokenizer_;
  const SpecialTokens specials_;
  std::string pending_;  // the beginning of one character
};

// `bytes` with every broken run replaced by U+FFFD: always valid UTF-8.
std::string ReplaceInvalidUtf8(absl::string_view bytes);

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TOKENIZER_STREAM_DECODER_H_
