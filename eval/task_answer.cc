#define PCRE2_CODE_UNIT_WIDTH 8

#include "eval/task_answer.h"

#include <pcre2.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tokenizer/chat_layout.h"
#include "tokenizer/unicode.h"
#include "tokenizer/utf8.h"

namespace trainyard::eval {
namespace {

constexpr uint32_t kMatchLimit = 10'000'000;

std::string Reason(int code) {
  PCRE2_UCHAR text[256] = {};
  pcre2_get_error_message(code, text, sizeof(text));
  return reinterpret_cast<const char*>(text);
}

}  // namespace

struct AnswerRule::Pattern {
  ~Pattern() {
    pcre2_match_context_free(context);
    pcre2_code_free(code);
  }
  std::string text;
  pcre2_code* code = nullptr;
  pcre2_match_context* context = nullptr;
};

AnswerRule::AnswerRule() = default;
AnswerRule::~AnswerRule() = default;
AnswerRule::AnswerRule(AnswerRule&&) noexcept = default;

absl::StatusOr<AnswerRule> AnswerRule::Create(const TaskJob& task) {
  AnswerRule rule;
  rule.ignore_case_ = task.ignore_case;
  rule.ignore_punctuation_ = task.ignore_punctuation;
  rule.stop_ = task.stop;
  if (rule.stop_.empty() && !task.example_delimiter.empty()) {
    rule.stop_.push_back(task.example_delimiter);
  }
  if (task.answer_pattern.empty()) return rule;
  rule.pattern_ = std::make_unique<Pattern>();
  rule.pattern_->text = task.answer_pattern;
  int error = 0;
  PCRE2_SIZE offset = 0;
  rule.pattern_->code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(task.answer_pattern.data()),
                    task.answer_pattern.size(), PCRE2_UTF | PCRE2_UCP, &error, &offset, nullptr);
  if (rule.pattern_->code == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("answer_pattern \"", task.answer_pattern,
                                                   "\" is wrong at byte ", offset, ": ",
                                                   Reason(error)));
  }
  rule.pattern_->context = pcre2_match_context_create(nullptr);
  pcre2_set_match_limit(rule.pattern_->context, kMatchLimit);
  return rule;
}

absl::StatusOr<std::optional<std::string>> AnswerRule::Extract(absl::string_view text) const {
  size_t end = text.size();
  for (const std::string& stop : stop_) end = std::min<size_t>(end, text.find(stop));
  text = text.substr(0, end);
  if (pattern_ == nullptr) return std::string(tokenizer::StripWhitespace(text));
  const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> match(
      pcre2_match_data_create_from_pattern(pattern_->code, nullptr), pcre2_match_data_free);
  const int found = pcre2_match(pattern_->code, reinterpret_cast<PCRE2_SPTR>(text.data()),
                                text.size(), 0, 0, match.get(), pattern_->context);
  if (found == PCRE2_ERROR_NOMATCH) return std::nullopt;
  if (found < 0) {
    return absl::ResourceExhaustedError(
        absl::StrCat("answer_pattern \"", pattern_->text, "\": ", Reason(found)));
  }
  const PCRE2_SIZE* const ends = pcre2_get_ovector_pointer(match.get());
  const uint32_t groups = pcre2_get_ovector_count(match.get()) - 1;
  const auto group = [&](uint32_t i) {
    return ends[2 * i] == PCRE2_UNSET ? absl::string_view()
                                      : text.substr(ends[2 * i], ends[2 * i + 1] - ends[2 * i]);
  };
  if (groups <= 1) return std::string(tokenizer::StripWhitespace(group(groups)));
  for (uint32_t i = 1; i <= groups; ++i) {
    if (!group(i).empty()) return std::string(tokenizer::StripWhitespace(group(i)));
  }
  return std::nullopt;
}

bool AnswerRule::IsRight(absl::string_view answer, absl::string_view target) const {
  return Normal(answer) == Normal(target);
}

std::string AnswerRule::Normal(absl::string_view text) const {
  std::string normal;
  text = tokenizer::StripWhitespace(text);
  for (size_t at = 0; at < text.size(); at += tokenizer::Utf8Length(text[at])) {
    const absl::string_view character = text.substr(at, tokenizer::Utf8Length(text[at]));
    if (ignore_punctuation_ && absl::ascii_ispunct(character[0])) continue;
    if (ignore_case_) {
      tokenizer::AppendLowercase(tokenizer::DecodeUtf8(character.data()), &normal);
    } else {
      absl::StrAppend(&normal, character);
    }
  }
  return normal;
}

}  // namespace trainyard::eval
