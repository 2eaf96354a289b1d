#include "tokenizer/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tokenizer/utf8.h"

namespace trainyard::tokenizer {
namespace {

struct FreeCode {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};
struct FreeMatch {
  void operator()(pcre2_match_data* match) const { pcre2_match_data_free(match); }
};

// PCRE2's own \s also matches U+180E, which Unicode no longer calls white space.
std::string WithUnicodeSpaces(absl::string_view pattern) {
  std::string result;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '\\' || i + 1 == pattern.size()) {
      result.push_back(pattern[i]);
      continue;
    }
    const char escaped = pattern[++i];
    if (escaped == 's' || escaped == 'S') {
      absl::StrAppend(&result, escaped == 's' ? "\\p{" : "\\P{", "White_Space}");
    } else {
      absl::StrAppend(&result, "\\", absl::string_view(&escaped, 1));
    }
  }
  return result;
}

}  // namespace

struct Regex::State {
  std::unique_ptr<pcre2_code, FreeCode> code;
};

Regex::Regex(std::unique_ptr<State> state) : state_(std::move(state)) {}
Regex::~Regex() = default;

absl::StatusOr<std::unique_ptr<Regex>> Regex::Compile(absl::string_view pattern) {
  const std::string translated = WithUnicodeSpaces(pattern);
  int error = 0;
  PCRE2_SIZE error_at = 0;
  auto state = std::make_unique<State>();
  state->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()),
                                  translated.size(), PCRE2_UTF | PCRE2_UCP, &error, &error_at,
                                  nullptr));
  if (state->code == nullptr) {
    PCRE2_UCHAR message[256] = {};
    pcre2_get_error_message(error, message, sizeof(message));
    return absl::InvalidArgumentError(
        absl::StrCat("pre-tokenizer pattern \"", pattern, "\" is not a regular expression: ",
                     reinterpret_cast<const char*>(message), " near byte ", error_at));
  }
  // Without JIT (an unusual CPU) matching is slower, and the same.
  pcre2_jit_compile(state->code.get(), PCRE2_JIT_COMPLETE);
  return std::unique_ptr<Regex>(new Regex(std::move(state)));
}

void Regex::Split(absl::string_view text, std::vector<absl::string_view>* pieces) const {
  const std::unique_ptr<pcre2_match_data, FreeMatch> match(
      pcre2_match_data_create_from_pattern(state_->code.get(), nullptr));
  TY_CHECK(match != nullptr);
  const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(match.get());
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  size_t emitted = 0;
  size_t search_from = 0;
  while (search_from < text.size()) {
    const int count = pcre2_match(state_->code.get(), subject, text.size(), search_from,
                                  PCRE2_NO_UTF_CHECK, match.get(), nullptr);
    if (count <= 0) break;
    const size_t begin = bounds[0], end = bounds[1];
    if (end == begin) {  // an empty match cuts nothing
      search_from = begin < text.size() ? begin + Utf8Length(text[begin]) : text.size();
      continue;
    }
    if (begin > emitted) pieces->push_back(text.substr(emitted, begin - emitted));
    pieces->push_back(text.substr(begin, end - begin));
    emitted = search_from = end;
  }
  if (emitted < text.size()) pieces->push_back(text.substr(emitted));
}

}  // namespace trainyard::tokenizer
