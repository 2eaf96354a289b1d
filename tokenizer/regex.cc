#include "tokenizer/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tokenizer/regex_syntax.h"
#include "tokenizer/unicode.h"
#include "tokenizer/utf8.h"

namespace trainyard::tokenizer {
namespace {

struct FreeCode {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};
struct FreeMatch {
  void operator()(pcre2_match_data* match) const { pcre2_match_data_free(match); }
};
struct FreeContext {
  void operator()(pcre2_compile_context* context) const { pcre2_compile_context_free(context); }
};

}  // namespace

struct Regex::State {
  std::unique_ptr<pcre2_code, FreeCode> code;

  // Begin and end of the first match at or after `from`; false when there is none.
  bool Find(absl::string_view text, size_t from, pcre2_match_data* match) const {
    const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
    int count =
        pcre2_match(code.get(), subject, text.size(), from, PCRE2_NO_UTF_CHECK, match, nullptr);
    if (count == PCRE2_ERROR_JIT_STACKLIMIT) {  // the interpreter's stack is the heap
      count = pcre2_match(code.get(), subject, text.size(), from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                          match, nullptr);
    }
    return count > 0;
  }
};

Regex::Regex(std::unique_ptr<State> state) : state_(std::move(state)) {}
Regex::~Regex() = default;

absl::StatusOr<std::unique_ptr<Regex>> Regex::Compile(absl::string_view pattern,
                                                      RegexSyntax syntax) {
  std::string translated(pattern);
  if (syntax == RegexSyntax::kOniguruma) {
    TY_ASSIGN_OR_RETURN(translated, OnigurumaToPcre2(pattern));
  }
  const std::unique_ptr<pcre2_compile_context, FreeContext> context(
      pcre2_compile_context_create(nullptr));
  TY_CHECK(context != nullptr);
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  int error = 0;
  PCRE2_SIZE error_at = 0;
  auto state = std::make_unique<State>();
  state->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()),
                                  translated.size(), PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE,
                                  &error, &error_at, context.get()));
  if (state->code == nullptr) {
    PCRE2_UCHAR message[256] = {};
    pcre2_get_error_message(error, message, sizeof(message));
    return absl::InvalidArgumentError(
        absl::StrCat("pattern \"", pattern,
                     "\" is not a regular expression: ", reinterpret_cast<const char*>(message),
                     " near byte ", error_at, " of \"", translated, "\""));
  }
  // Without JIT (an unusual CPU) matching is slower, and the same.
  pcre2_jit_compile(state->code.get(), PCRE2_JIT_COMPLETE);
  return std::unique_ptr<Regex>(new Regex(std::move(state)));
}

void Regex::FindAll(absl::string_view text, std::vector<std::pair<size_t, size_t>>* matches) const {
  std::string known;  // of the same length, so that offsets hold in both
  if (ReplaceNewCharacters(text, &known)) text = known;
  const std::unique_ptr<pcre2_match_data, FreeMatch> match(
      pcre2_match_data_create_from_pattern(state_->code.get(), nullptr));
  TY_CHECK(match != nullptr);
  const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(match.get());
  size_t from = 0;
  size_t last_end = text.size() + 1;  // of the match before; none yet
  while (from <= text.size() && state_->Find(text, from, match.get())) {
    const size_t begin = bounds[0], end = bounds[1];
    if (begin == end && end == last_end) {
      from += from < text.size() ? Utf8Length(text[from]) : 1;
      continue;
    }
    matches->push_back({begin, end});
    from = last_end = end;
  }
}

}  // namespace trainyard::tokenizer
