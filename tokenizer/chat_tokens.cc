#include "tokenizer/chat_tokens.h"

#include <algorithm>
#include <string>

#include "absl/strings/string_view.h"

namespace trainyard::tokenizer {
namespace {

uint8_t FlagsOf(const ChatPiece& piece) {
  return static_cast<uint8_t>((piece.tag ? kTag : 0) | (piece.trained ? kTrained : 0));
}

// Collects text up to the next added token: a tokenizer sees it as one.
class ChatEncoder {
 public:
  explicit ChatEncoder(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  void Add(const ChatPiece& piece) {
    const uint8_t flags = FlagsOf(piece);
    absl::string_view text = piece.text;
    while (piece.tag && !text.empty()) {
      size_t at = 0;
      const AddedToken* token = FirstSpecial(text, &at);
      if (token == nullptr) break;
      AddText(text.substr(0, at), flags);
      Flush(token);
      chat_.ids.push_back(token->id);
      chat_.flags.push_back(flags);
      before_ = token;
      text.remove_prefix(at + token->content.size());
    }
    AddText(text, flags);
  }

  RenderedChat Take() {
    Flush(nullptr);
    return std::move(chat_);
  }

 private:
  struct Span {
    size_t end = 0;  // byte of `run_`
    uint8_t flags = 0;
  };

  // The first special token in `text`, the longest of those at one place; null when there is none.
  // Added tokens that are not special are found in any text.
  const AddedToken* FirstSpecial(absl::string_view text, size_t* at) const {
    const AddedToken* first = nullptr;
    *at = text.size();
    for (const AddedToken& token : tokenizer_.spec().added) {
      const size_t found = token.special ? text.find(token.content) : absl::string_view::npos;
      if (found == absl::string_view::npos || found > *at) continue;
      const bool longer = first == nullptr || token.content.size() > first->content.size();
      if (found == *at && !longer) continue;
      first = &token;
      *at = found;
    }
    return first;
  }

  void AddText(absl::string_view text, uint8_t flags) {
    if (text.empty()) return;
    run_.append(text.data(), text.size());
    if (!spans_.empty() && spans_.back().flags == flags) {
      spans_.back().end = run_.size();
    } else {
      spans_.push_back({run_.size(), flags});
    }
  }

  // Where byte `end` of the run lies among its tokens.
  struct Border {
    size_t tokens = 0;    // that end at it or before
    bool inside = false;  // it lies inside of the next one
  };

  Border BorderAt(size_t end, const std::vector<TokenId>& ids) const {
    const std::vector<TokenId> front = Encode(absl::string_view(run_).substr(0, end), nullptr);
    const auto [of_front, of_ids] =
        std::mismatch(front.begin(), front.end(), ids.begin(), ids.end());
    Border border;
    border.tokens = of_ids - ids.begin();
    if (of_front == front.end()) return border;
    // Tokens that both have are the same text. The rest is measured in decoded bytes, since a
    // normalizer may have changed what was encoded.
    const size_t bytes = Bytes(front, front.size());
    while (border.tokens < ids.size() && Bytes(ids, border.tokens + 1) <= bytes) ++border.tokens;
    border.inside = border.tokens < ids.size() && Bytes(ids, border.tokens) < bytes;
    return border;
  }

  size_t Bytes(const std::vector<TokenId>& ids, size_t count) const {
    size_t bytes = 0;
    for (size_t i = 0; i < count; ++i) bytes += tokenizer_.TokenBytes(ids[i]).size();
    return bytes;
  }

  // The ids of the run or of its front, as between the special tokens before and after it: they
  // may take white space along, and a text's first character may be another after one. Where a
  // text says what looks like a special token, it is encoded alone: they would be found.
  std::vector<TokenId> Encode(absl::string_view text, const AddedToken* after) const {
    size_t at = 0;
    if ((before_ == nullptr && after == nullptr) || FirstSpecial(text, &at) != nullptr) {
      return tokenizer_.Encode(text);
    }
    std::string whole = before_ == nullptr ? "" : before_->content;
    whole.append(text.data(), text.size());
    if (after != nullptr) whole += after->content;
    std::vector<TokenId> ids = tokenizer_.EncodeWithAdded(whole);
    const bool found = (before_ == nullptr || ids.front() == before_->id) &&
                       (after == nullptr || ids.back() == after->id);
    if (!found) return tokenizer_.Encode(text);  // a single word, which it is not here
    if (after != nullptr) ids.pop_back();
    if (before_ != nullptr) ids.erase(ids.begin());
    return ids;
  }

  void Flush(const AddedToken* after) {
    if (run_.empty()) return;
    const std::vector<TokenId> ids = Encode(run_, after);
    const size_t first = chat_.ids.size();
    chat_.ids.insert(chat_.ids.end(), ids.begin(), ids.end());
    chat_.flags.resize(chat_.ids.size(), kTag);
    size_t begin = 0;
    for (size_t i = 0; i < spans_.size(); ++i) {
      const bool last = i + 1 == spans_.size();
      const Border end = last ? Border{ids.size(), false} : BorderAt(spans_[i].end, ids);
      for (size_t j = begin; j < end.tokens + (end.inside ? 1 : 0); ++j) {
        uint8_t& flags = chat_.flags[first + j];
        flags = static_cast<uint8_t>((flags & spans_[i].flags & kTag) |
                                     ((flags | spans_[i].flags) & kTrained));
      }
      begin = end.tokens;
    }
    run_.clear();
    spans_.clear();
  }

  const Tokenizer& tokenizer_;
  const AddedToken* before_ = nullptr;  // the special token in front of the run
  std::string run_;
  std::vector<Span> spans_;
  RenderedChat chat_;
};

}  // namespace

RenderedChat TokensOfChat(const Tokenizer& tokenizer, absl::Span<const ChatPiece> pieces) {
  ChatEncoder encoder(tokenizer);
  for (const ChatPiece& piece : pieces) encoder.Add(piece);
  return encoder.Take();
}

}  // namespace trainyard::tokenizer
