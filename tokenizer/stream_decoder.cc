#include "tokenizer/stream_decoder.h"

namespace trainyard::tokenizer {

std::string StreamDecoder::Push(TokenId id) {
  if (specials_ == SpecialTokens::kSkip && tokenizer_.IsSpecial(id)) return "";
  const std::string* token = tokenizer_.TokenText(id);
  return token == nullptr ? "" : decoding_->Push(*token);
}

std::string StreamDecoder::Finish() {
  std::string text = decoding_->Finish();
  decoding_ = tokenizer_.decoder().Start();
  return text;
}

}  // namespace trainyard::tokenizer
