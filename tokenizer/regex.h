// A pattern on PCRE2 with JIT.

#ifndef TRAINYARD_TOKENIZER_REGEX_H_
#define TRAINYARD_TOKENIZER_REGEX_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trainyard::tokenizer {

// Immutable, thread-safe. \s and \S mean Unicode's White_Space property.
class Regex {
 public:
  // InvalidArgument shows the pattern and where it is wrong.
  static absl::StatusOr<std::unique_ptr<Regex>> Compile(absl::string_view pattern);
  ~Regex();

  // Appends the matches in `text`, which must be valid UTF-8, and what lies between them. Where a
  // match would need more stack or steps than PCRE2 allows, the rest is one piece.
  void Split(absl::string_view text, std::vector<absl::string_view>* pieces) const;

 private:
  struct State;
  explicit Regex(std::unique_ptr<State> state);
  const std::unique_ptr<State> state_;
};

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TOKENIZER_REGEX_H_
