#include "tokenizer/stream_decoder.h"

#include "tokenizer/utf8.h"

namespace trainyard::tokenizer {
namespace {

constexpr char kReplacement[] = "\xEF\xBF\xBD";

// Moves what is certain from the front of `pending` to `text`; an unfinished character stays.
void TakeCertain(std::string* pending, std::string* text) {
  absl::string_view rest = *pending;
  while (!rest.empty()) {
    const size_t valid = ValidUtf8Prefix(rest);
    text->append(rest.data(), valid);
    rest.remove_prefix(valid);
    if (rest.empty()) break;
    const BrokenUtf8 broken = ClassifyBrokenUtf8(rest);
    if (broken.unfinished) break;
    text->append(kReplacement);
    rest.remove_prefix(broken.length);
  }
  pending->erase(0, pending->size() - rest.size());
}

}  // namespace

std::string StreamDecoder::Push(TokenId id) {
  if (specials_ == SpecialTokens::kSkip && tokenizer_.IsSpecial(id)) return "";
  const absl::string_view bytes = tokenizer_.TokenBytes(id);
  pending_.append(bytes.data(), bytes.size());
  std::string text;
  TakeCertain(&pending_, &text);
  return text;
}

std::string StreamDecoder::Finish() {
  std::string text = pending_.empty() ? "" : kReplacement;
  pending_.clear();
  return text;
}

std::string ReplaceInvalidUtf8(absl::string_view bytes) {
  std::string pending(bytes);
  std::string text;
  TakeCertain(&pending, &text);
  if (!pending.empty()) text.append(kReplacement);
  return text;
}

}  // namespace trainyard::tokenizer
