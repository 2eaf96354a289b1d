#include "tokenizer/decoder.h"

#include <utility>

#include "base/status.h"
#include "tokenizer/component.h"
#include "tokenizer/utf8.h"

namespace trainyard::tokenizer {

std::string DecodingText::Push(absl::string_view token) {
  std::string text;
  std::vector<TokenPart> tokens;
  tokens.push_back({std::string(token), true});
  Run(0, std::move(tokens), &text);
  return text;
}

std::string DecodingText::Finish() {
  std::string text;
  for (size_t step = 0; step < steps_.size(); ++step) {
    std::vector<TokenPart> rest;
    steps_[step]->End(&rest);
    Run(step + 1, std::move(rest), &text);
  }
  return text;
}

void DecodingText::Run(size_t first_step, std::vector<TokenPart> tokens, std::string* text) {
  for (size_t step = first_step; step < steps_.size() && !tokens.empty(); ++step) {
    std::vector<TokenPart> out;
    for (TokenPart& token : tokens) steps_[step]->Put(std::move(token), &out);
    tokens = std::move(out);
  }
  for (const TokenPart& token : tokens) text->append(token.text);
}

absl::StatusOr<Decoder> Decoder::Make(const Json& json, absl::string_view document) {
  Decoder decoder;
  if (json.is_null()) {
    decoder.steps_.push_back(MakeJoinStep());
    return decoder;
  }
  std::vector<const Json*> elements;
  TY_RETURN_IF_ERROR(FlattenSequence(json, "decoders", document, &elements));
  bool fused = false;
  for (const Json* element : elements) {
    TY_ASSIGN_OR_RETURN(decoder.steps_.emplace_back(), MakeDecoderStep(*element, fused, document));
    fused = fused || decoder.steps_.back()->fuses();
  }
  decoder.concatenates_ = elements.size() == 1 && (*elements[0])["type"] == "ByteLevel";
  return decoder;
}

std::unique_ptr<DecodingText> Decoder::Start() const {
  std::vector<std::unique_ptr<DecoderStep>> steps;
  for (const auto& step : steps_) steps.push_back(step->Start());
  return std::make_unique<DecodingText>(std::move(steps));
}

std::string Decoder::BytesOf(absl::string_view token) const {
  std::string bytes(token);
  for (const auto& step : steps_) {
    if (!IsValidUtf8(bytes)) break;
    bytes = step->BytesOf(std::move(bytes));
  }
  return bytes;
}

}  // namespace trainyard::tokenizer
