// Cuts text into the pieces that byte-pair encoding works on: no merge ever crosses a cut.

#ifndef TRAINYARD_TOKENIZER_PRETOKENIZER_H_
#define TRAINYARD_TOKENIZER_PRETOKENIZER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trainyard::tokenizer {

// The pattern of GPT-2 (Radford et al. 2019), as Hugging Face writes it.
inline constexpr char kGpt2Pattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

// Immutable, thread-safe. The pieces of a text, put together, are the text, byte for byte. A run
// of bytes that are not UTF-8 is a piece of its own and acts like an end of the text on both sides.
class Pretokenizer {
 public:
  virtual ~Pretokenizer() = default;

  // Appends the pieces (views into `text`) to `pieces`.
  void Split(absl::string_view text, std::vector<absl::string_view>* pieces) const;

 private:
  // The same for valid UTF-8.
  virtual void SplitValid(absl::string_view text, std::vector<absl::string_view>* pieces) const = 0;
};

// The GPT-2 pattern as a hand-written scanner: equal to the pattern on PCRE2 (a test holds them
// together) and several times as fast. Letter and number classes are those of utf8proc's Unicode.
std::unique_ptr<Pretokenizer> MakeGpt2Pretokenizer();

// Any pattern, on PCRE2 with JIT. \s and \S mean Unicode's White_Space property, as in Hugging
// Face's regular expressions. Bytes between two matches are pieces too. InvalidArgument shows the
// pattern, and where it is wrong.
absl::StatusOr<std::unique_ptr<Pretokenizer>> MakeRegexPretokenizer(absl::string_view pattern);

// The fastest one there is for `pattern`.
absl::StatusOr<std::unique_ptr<Pretokenizer>> MakePretokenizer(absl::string_view pattern);

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TOKENIZER_PRETOKENIZER_H_
