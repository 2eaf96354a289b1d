#define PCRE2_CODE_UNIT_WIDTH 8

#include "reward_service/pattern.h"

#include <pcre2.h>

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace trainyard::reward_service {
namespace {

constexpr uint32_t kMatchLimit = 1'000'000;  // steps
constexpr uint32_t kDepthLimit = 10'000;     // nested backtracking points
constexpr uint32_t kHeapLimitKib = 16 * 1024;

std::string Reason(int code) {
  PCRE2_UCHAR text[256] = {};
  pcre2_get_error_message(code, text, sizeof(text));
  return reinterpret_cast<const char*>(text);
}

}  // namespace

struct Pattern::Code {
  ~Code() {
    pcre2_match_data_free(match);
    pcre2_match_context_free(context);
    pcre2_code_free(code);
  }
  std::string text;
  pcre2_code* code = nullptr;
  pcre2_match_context* context = nullptr;
  pcre2_match_data* match = nullptr;
};

Pattern::Pattern(std::unique_ptr<Code> code) : code_(std::move(code)) {}
Pattern::~Pattern() = default;
Pattern::Pattern(Pattern&&) noexcept = default;
Pattern& Pattern::operator=(Pattern&&) noexcept = default;

absl::StatusOr<Pattern> Pattern::Compile(const std::string& pattern, PatternCase pattern_case) {
  int error = 0;
  PCRE2_SIZE offset = 0;
  const uint32_t options = PCRE2_UTF | (pattern_case == PatternCase::kIgnore ? PCRE2_CASELESS : 0);
  auto code = std::make_unique<Code>();
  code->text = pattern;
  code->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), options,
                             &error, &offset, nullptr);
  if (code->code == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("pattern \"", pattern, "\" is wrong at byte ",
                                                   offset, ": ", Reason(error)));
  }
  code->context = pcre2_match_context_create(nullptr);
  pcre2_set_match_limit(code->context, kMatchLimit);
  pcre2_set_depth_limit(code->context, kDepthLimit);
  pcre2_set_heap_limit(code->context, kHeapLimitKib);
  code->match = pcre2_match_data_create_from_pattern(code->code, nullptr);
  return Pattern(std::move(code));
}

absl::StatusOr<int> Pattern::Count(absl::string_view text, int at_most) const {
  int count = 0;
  PCRE2_SIZE at = 0;
  while (count < at_most && at <= text.size()) {
    const int found = pcre2_match(code_->code, reinterpret_cast<PCRE2_SPTR>(text.data()),
                                  text.size(), at, 0, code_->match, code_->context);
    if (found == PCRE2_ERROR_NOMATCH) break;
    if (found <= PCRE2_ERROR_UTF8_ERR1 && found >= PCRE2_ERROR_UTF8_ERR21) {
      return absl::InvalidArgumentError("the text is not UTF-8");
    }
    if (found < 0) {
      return absl::ResourceExhaustedError(
          absl::StrCat("pattern \"", code_->text, "\": ", Reason(found)));
    }
    ++count;
    const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(code_->match);
    at = ends[1];
    if (ends[1] > ends[0]) continue;
    // An empty match: go on behind the next character.
    do {
      ++at;
    } while (at < text.size() && (text[at] & 0xc0) == 0x80);
  }
  return count;
}

std::string EscapePattern(absl::string_view text) {
  std::string escaped;
  for (char c : text) {
    if (static_cast<unsigned char>(c) < 0x80 && !absl::ascii_isalnum(c) && c != ' ') {
      escaped += '\\';
    }
    escaped += c;
  }
  return escaped;
}

}  // namespace trainyard::reward_service
