// Regular expressions on PCRE2 with JIT, in the syntax of Oniguruma: the one that patterns of
// tokenizer.json files are written for.

#ifndef TRAINYARD_TOKENIZER_REGEX_H_
#define TRAINYARD_TOKENIZER_REGEX_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trainyard::tokenizer {

enum class RegexSyntax { kOniguruma, kPcre2 };

// Immutable, thread-safe. Classes and properties are those of Unicode 16.
class Regex {
 public:
  // InvalidArgument shows the pattern and where it is wrong, or which part of Oniguruma's syntax
  // PCRE2 can not say.
  static absl::StatusOr<std::unique_ptr<Regex>> Compile(
      absl::string_view pattern, RegexSyntax syntax = RegexSyntax::kOniguruma);
  ~Regex();

  // Appends [begin, end) of each match in `text`, which must be valid UTF-8, from left to right.
  // An empty match right behind another match is none. A match that needs more than PCRE2's limit
  // of steps (10 million) ends the search.
  void FindAll(absl::string_view text, std::vector<std::pair<size_t, size_t>>* matches) const;

 private:
  struct State;
  explicit Regex(std::unique_ptr<State> state);
  const std::unique_ptr<State> state_;
};

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TOKENIZER_REGEX_H_
