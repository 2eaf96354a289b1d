#include "eval/words.h"

#include "absl/strings/ascii.h"

namespace trainyard::eval {

std::vector<std::string> Words(absl::string_view text) {
  const std::string lower = absl::AsciiStrToLower(text);
  const auto is_letter = [&lower](size_t at) {
    return at < lower.size() && lower[at] >= 'a' && lower[at] <= 'z';
  };
  std::vector<std::string> words;
  for (size_t at = 0; at < lower.size();) {
    if (!is_letter(at)) {
      ++at;
      continue;
    }
    size_t end = at;
    while (is_letter(end)) ++end;
    if (end < lower.size() && lower[end] == '\'' && is_letter(end + 1)) {
      ++end;
      while (is_letter(end)) ++end;
    }
    words.push_back(lower.substr(at, end - at));
    at = end;
  }
  return words;
}

}  // namespace trainyard::eval
