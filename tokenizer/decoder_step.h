// The steps of a decoder, each of which turns tokens into others.

#ifndef TRAINYARD_TOKENIZER_DECODER_STEP_H_
#define TRAINYARD_TOKENIZER_DECODER_STEP_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/json.h"

namespace trainyard::tokenizer {

// A token, or a part of one: valid UTF-8.
struct TokenPart {
  std::string text;
  bool begins = true;  // a token; else it goes on with the one before
};

// A step at work on one text. Owned by one thread.
class DecoderStep {
 public:
  virtual ~DecoderStep() = default;

  // A step of the same kind, at the beginning of a text.
  virtual std::unique_ptr<DecoderStep> Start() const = 0;
  // Takes a token, and appends those that are certain now.
  virtual void Put(TokenPart token, std::vector<TokenPart>* out) = 0;
  // Appends the rest.
  virtual void End(std::vector<TokenPart>* out) = 0;
  // What becomes of a token in the midst of a text: bytes, perhaps part of a character.
  virtual std::string BytesOf(std::string token) const = 0;
  // Whether what it gives is one single token, piece by piece.
  virtual bool fuses() const { return false; }
};

// Tokens with a space between them: what there is without a decoder.
std::unique_ptr<DecoderStep> MakeJoinStep();

// One component that is no Sequence. `fused`: it gets one single token, piece by piece.
absl::StatusOr<std::unique_ptr<DecoderStep>> MakeDecoderStep(const Json& json, bool fused,
                                                             absl::string_view document);

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TOKENIZER_DECODER_STEP_H_
