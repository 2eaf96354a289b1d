// Patterns that cut text, and what becomes of what they match.

#ifndef TRAINYARD_TOKENIZER_PATTERN_H_
#define TRAINYARD_TOKENIZER_PATTERN_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/json.h"

namespace trainyard::tokenizer {

// The pattern of GPT-2 (Radford et al. 2019), as Hugging Face writes it.
inline constexpr char kGpt2Pattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

// A part of a text; a match may be empty, what lies between two matches is not.
struct Span {
  size_t begin = 0, end = 0;
  bool matches = false;
};

// Immutable, thread-safe. Texts are valid UTF-8.
class Pattern {
 public:
  virtual ~Pattern() = default;

  // Appends the matches in `text` and what lies between them, in order.
  virtual void Find(absl::string_view text, std::vector<Span>* spans) const = 0;

  // Appends the same parts, matches or not, but for empty ones.
  virtual void Isolate(absl::string_view text, std::vector<absl::string_view>* parts) const;
};

// kGpt2Pattern as a hand-written scanner: equal to the pattern on PCRE2 (a test holds them
// together) and several times as fast.
std::unique_ptr<Pattern> MakeGpt2Pattern();

// Each occurrence of a string that is not empty.
std::unique_ptr<Pattern> MakeLiteralPattern(absl::string_view literal);

// Each character with a property.
std::unique_ptr<Pattern> MakeCharacterPattern(bool (*has_property)(char32_t));

// A regular expression in Oniguruma's syntax; the fastest way there is for it. InvalidArgument
// shows the pattern, and where it is wrong.
absl::StatusOr<std::unique_ptr<Pattern>> MakeRegexPattern(absl::string_view regex);

// The regular expression on PCRE2, whatever it is.
absl::StatusOr<std::unique_ptr<Pattern>> MakePcre2Pattern(absl::string_view regex);

// {"Regex": text} or {"String": text} of a tokenizer.json; `document` names it in errors.
absl::StatusOr<std::unique_ptr<Pattern>> ReadPattern(const Json& json, absl::string_view document);

// What becomes of matches when a text is cut.
enum class SplitBehavior {
  kRemoved,             // they are left out
  kIsolated,            // each is a part of its own
  kMergedWithPrevious,  // each goes with what is before it
  kMergedWithNext,      // each goes with what is behind it
  kContiguous,          // neighbours are one part
};

// "Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous".
absl::StatusOr<SplitBehavior> ParseSplitBehavior(absl::string_view name,
                                                 absl::string_view document);

// Appends the parts of `text`, but for empty ones. With `invert` what lies between matches takes
// their place, and they its.
struct SplitRule {
  SplitBehavior behavior = SplitBehavior::kIsolated;
  bool invert = false;
};
void SplitByPattern(const Pattern& pattern, SplitRule rule, absl::string_view text,
                    std::vector<absl::string_view>* parts);

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TOKENIZER_PATTERN_H_
