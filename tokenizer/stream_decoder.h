// Turns ids into text while they arrive, without ever giving out half a character.

#ifndef TRAINYARD_TOKENIZER_STREAM_DECODER_H_
#define TRAINYARD_TOKENIZER_STREAM_DECODER_H_

#include <memory>
#include <string>

#include "tokenizer/tokenizer.h"

namespace trainyard::tokenizer {

// Every string it returns is valid UTF-8, and their sum is the tokenizer's Decode of all the ids.
// What later ids can still change is held back: the beginning of a character; with ByteFallback a
// run of byte tokens until it ends. Owned by one thread; the tokenizer must outlive it.
class StreamDecoder {
 public:
  StreamDecoder(const Tokenizer& tokenizer, SpecialTokens specials)
      : tokenizer_(tokenizer), specials_(specials), decoding_(tokenizer.decoder().Start()) {}

  // The text that `id` completes; may be empty.
  std::string Push(TokenId id);
  // What is left: an unfinished character becomes U+FFFD. The decoder starts anew.
  std::string Finish();

 private:
  const Tokenizer& tokenizer_;
  const SpecialTokens specials_;
  std::unique_ptr<DecodingText> decoding_;
};

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TOKENIZER_STREAM_DECODER_H_
