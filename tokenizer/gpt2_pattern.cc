#include <utf8proc.h>

#include <array>
#include <cstdint>

#include "tokenizer/pattern.h"
#include "tokenizer/unicode.h"
#include "tokenizer/utf8.h"

namespace trainyard::tokenizer {
namespace {

enum CharacterClass : uint8_t { kLetter, kNumber, kSpace, kOther, kMultiByte };

constexpr std::array<CharacterClass, 256> AsciiClasses() {
  std::array<CharacterClass, 256> classes{};
  for (int c = 0; c < 256; ++c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool space = c == ' ' || (c >= '\t' && c <= '\r');
    classes[c] = c >= 128               ? kMultiByte
                 : letter               ? kLetter
                 : c >= '0' && c <= '9' ? kNumber
                 : space                ? kSpace
                                        : kOther;
  }
  return classes;
}
constexpr std::array<CharacterClass, 256> kByteClasses = AsciiClasses();

CharacterClass WideClass(char32_t c) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(KnownCharacter(c)))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return kLetter;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return kNumber;
    default:
      return IsWhiteSpace(c) ? kSpace : kOther;
  }
}

// Reads one text from front to back.
class Gpt2Scanner {
 public:
  explicit Gpt2Scanner(absl::string_view text)
      : at_(text.data()), end_(text.data() + text.size()) {}

  bool done() const { return at_ == end_; }

  absl::string_view NextPiece() {
    const char* begin = at_;
    if (const int contraction = ContractionLength(); contraction > 0) {
      at_ += contraction;
    } else {
      CharacterClass first = ClassAt(at_);
      if (*at_ == ' ' && at_ + 1 < end_) {
        const CharacterClass second = ClassAt(at_ + 1);
        if (second != kSpace) {
          first = second;
          ++at_;
        }
      }
      if (first == kSpace) {
        SkipSpaces();
      } else {
        SkipRun(first);
      }
    }
    return absl::string_view(begin, at_ - begin);
  }

 private:
  // 's 't 'm 'd: 2; 're 've 'll: 3; anything else: 0.
  int ContractionLength() const {
    if (*at_ != '\'' || end_ - at_ < 2) return 0;
    const char a = at_[1];
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
    if (end_ - at_ < 3) return 0;
    const char b = at_[2];
    return (b == 'e' && (a == 'r' || a == 'v')) || (a == 'l' && b == 'l') ? 3 : 0;
  }

  CharacterClass ClassAt(const char* at) const {
    const CharacterClass simple = kByteClasses[static_cast<uint8_t>(*at)];
    return simple != kMultiByte ? simple : WideClass(DecodeUtf8(at));
  }

  void SkipRun(CharacterClass wanted) {
    while (at_ < end_) {
      const CharacterClass simple = kByteClasses[static_cast<uint8_t>(*at_)];
      if (simple == wanted) {
        ++at_;
      } else if (simple == kMultiByte && WideClass(DecodeUtf8(at_)) == wanted) {
        at_ += Utf8Length(*at_);
      } else {
        return;
      }
    }
  }

  // A run of white space, but for its last character when a word follows: that one goes with the
  // word, or stands alone.
  void SkipSpaces() {
    const char* last = at_;
    int characters = 0;
    while (at_ < end_ && ClassAt(at_) == kSpace) {
      last = at_;
      at_ += Utf8Length(*at_);
      ++characters;
    }
    if (at_ < end_ && characters > 1) at_ = last;
  }

  const char* at_;
  const char* const end_;
};

class Gpt2Pattern : public Pattern {
 public:
  void Find(absl::string_view text, std::vector<Span>* spans) const override {
    Gpt2Scanner scanner(text);
    for (size_t at = 0; !scanner.done();) {
      const size_t end = at + scanner.NextPiece().size();
      spans->push_back({at, end, true});
      at = end;
    }
  }
  void Isolate(absl::string_view text, std::vector<absl::string_view>* parts) const override {
    Gpt2Scanner scanner(text);
    while (!scanner.done()) parts->push_back(scanner.NextPiece());
  }
};

}  // namespace

std::unique_ptr<Pattern> MakeGpt2Pattern() { return std::make_unique<Gpt2Pattern>(); }

}  // namespace trainyard::tokenizer
