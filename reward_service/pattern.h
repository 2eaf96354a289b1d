// Regular expressions with limits that count steps, never time.

#ifndef TRAINYARD_REWARD_SERVICE_PATTERN_H_
#define TRAINYARD_REWARD_SERVICE_PATTERN_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trainyard::reward_service {

enum class PatternCase { kSensitive, kIgnore };

// A compiled PCRE2 pattern over UTF-8. Owned by one thread.
class Pattern {
 public:
  // InvalidArgument names the pattern, the offset and PCRE2's reason.
  static absl::StatusOr<Pattern> Compile(const std::string& pattern, PatternCase pattern_case);
  ~Pattern();
  Pattern(Pattern&&) noexcept;
  Pattern& operator=(Pattern&&) noexcept;

  // Matches that do not overlap. ResourceExhausted when the matcher exceeds its limits,
  // InvalidArgument when the text is not UTF-8.
  absl::StatusOr<int> Count(absl::string_view text, int at_most) const;

 private:
  struct Code;
  explicit Pattern(std::unique_ptr<Code> code);
  std::unique_ptr<Code> code_;
};

// `text` with every character that means something in a pattern escaped.
std::string EscapePattern(absl::string_view text);

}  // namespace trainyard::reward_service

#endif  // TRAINYARD_REWARD_SERVICE_PATTERN_H_
