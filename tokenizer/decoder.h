// From tokens back to text, while they arrive.

#ifndef TRAINYARD_TOKENIZER_DECODER_H_
#define TRAINYARD_TOKENIZER_DECODER_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/json.h"
#include "tokenizer/decoder_step.h"

namespace trainyard::tokenizer {

// One text being decoded: every string it returns is valid UTF-8, and their sum is what Hugging
// Face's decoder gives for all tokens at once. What later tokens can still change is held back.
// Owned by one thread.
class DecodingText {
 public:
  explicit DecodingText(std::vector<std::unique_ptr<DecoderStep>> steps)
      : steps_(std::move(steps)) {}

  // The text that `token` completes.
  std::string Push(absl::string_view token);
  // What is left. No token may follow.
  std::string Finish();

 private:
  void Run(size_t first_step, std::vector<TokenPart> tokens, std::string* text);

  std::vector<std::unique_ptr<DecoderStep>> steps_;
};

// Immutable, thread-safe.
class Decoder {
 public:
  // The "decoder" of a tokenizer.json; for null, tokens are joined by spaces. InvalidArgument lists
  // the types there are.
  static absl::StatusOr<Decoder> Make(const Json& json, absl::string_view document);

  std::unique_ptr<DecodingText> Start() const;

  // The bytes that a token stands for in the midst of a text; they may be part of a character.
  std::string BytesOf(absl::string_view token) const;

  // The text of tokens is their BytesOf, one after the other, made valid.
  bool concatenates() const { return concatenates_; }

 private:
  std::vector<std::unique_ptr<DecoderStep>> steps_;
  bool concatenates_ = false;
};

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TOKENIZER_DECODER_H_
