#include "tokenizer/pattern.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tokenizer/regex.h"
#include "tokenizer/utf8.h"

namespace trainyard::tokenizer {
namespace {

class LiteralPattern : public Pattern {
 public:
  explicit LiteralPattern(absl::string_view literal) : literal_(literal) {
    TY_CHECK(!literal_.empty());
  }

  void Find(absl::string_view text, std::vector<Span>* spans) const override {
    size_t done = 0;
    for (size_t at = text.find(literal_); at != absl::string_view::npos;
         at = text.find(literal_, done)) {
      if (at > done) spans->push_back({done, at, false});
      done = at + literal_.size();
      spans->push_back({at, done, true});
    }
    if (done < text.size()) spans->push_back({done, text.size(), false});
  }

 private:
  const std::string literal_;
};

class CharacterPattern : public Pattern {
 public:
  explicit CharacterPattern(bool (*has_property)(char32_t)) : has_property_(has_property) {}

  void Find(absl::string_view text, std::vector<Span>* spans) const override {
    size_t done = 0;
    for (size_t at = 0; at < text.size();) {
      const size_t next = at + Utf8Length(text[at]);
      if (has_property_(DecodeUtf8(text.data() + at))) {
        if (at > done) spans->push_back({done, at, false});
        spans->push_back({at, next, true});
        done = next;
      }
      at = next;
    }
    if (done < text.size()) spans->push_back({done, text.size(), false});
  }

 private:
  bool (*const has_property_)(char32_t);
};

class RegexPattern : public Pattern {
 public:
  explicit RegexPattern(std::unique_ptr<Regex> regex) : regex_(std::move(regex)) {}

  void Find(absl::string_view text, std::vector<Span>* spans) const override {
    if (text.empty()) return;
    std::vector<std::pair<size_t, size_t>> matches;
    regex_->FindAll(text, &matches);
    size_t done = 0;
    for (const auto& [begin, end] : matches) {
      if (begin > done) spans->push_back({done, begin, false});
      spans->push_back({begin, end, true});
      done = end;
    }
    if (done < text.size()) spans->push_back({done, text.size(), false});
  }

 private:
  const std::unique_ptr<Regex> regex_;
};

using Parts = std::vector<Span>;

// Neighbours of one kind become one; before the first there is, as it were, no match.
Parts Contiguous(const Parts& spans) {
  Parts parts;
  bool previous = false;
  for (const Span& span : spans) {
    if (span.matches == previous && !parts.empty()) {
      parts.back().end = span.end;
    } else {
      parts.push_back(span);
    }
    previous = span.matches;
  }
  return parts;
}

// A match goes with what is before it, unless that is a match too.
Parts MergedWithPrevious(const Parts& spans) {
  Parts parts;
  bool previous = false;
  for (const Span& span : spans) {
    if (span.matches && !previous && !parts.empty()) {
      parts.back().end = span.end;
    } else {
      parts.push_back(span);
    }
    previous = span.matches;
  }
  return parts;
}

Parts MergedWithNext(const Parts& spans) {
  Parts parts;
  bool next = false;
  for (auto span = spans.rbegin(); span != spans.rend(); ++span) {
    if (span->matches && !next && !parts.empty()) {
      parts.back().begin = span->begin;
    } else {
      parts.push_back(*span);
    }
    next = span->matches;
  }
  std::reverse(parts.begin(), parts.end());
  return parts;
}

}  // namespace

void Pattern::Isolate(absl::string_view text, std::vector<absl::string_view>* parts) const {
  std::vector<Span> spans;
  Find(text, &spans);
  for (const Span& span : spans) {
    if (span.end > span.begin) parts->push_back(text.substr(span.begin, span.end - span.begin));
  }
}

std::unique_ptr<Pattern> MakeLiteralPattern(absl::string_view literal) {
  return std::make_unique<LiteralPattern>(literal);
}

std::unique_ptr<Pattern> MakeCharacterPattern(bool (*has_property)(char32_t)) {
  return std::make_unique<CharacterPattern>(has_property);
}

absl::StatusOr<std::unique_ptr<Pattern>> MakePcre2Pattern(absl::string_view regex) {
  TY_ASSIGN_OR_RETURN(std::unique_ptr<Regex> compiled, Regex::Compile(regex));
  return std::make_unique<RegexPattern>(std::move(compiled));
}

absl::StatusOr<std::unique_ptr<Pattern>> MakeRegexPattern(absl::string_view regex) {
  if (regex == kGpt2Pattern) return MakeGpt2Pattern();
  return MakePcre2Pattern(regex);
}

absl::StatusOr<std::unique_ptr<Pattern>> ReadPattern(const Json& json, absl::string_view document) {
  if (!json.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(document, ": pattern must be {\"Regex\": ...} or {\"String\": ...}"));
  }
  const JsonReader reader(json, absl::StrCat(document, ".pattern"));
  TY_RETURN_IF_ERROR(reader.OnlyFields({"Regex", "String"}));
  const bool is_literal = reader.Has("String");
  TY_ASSIGN_OR_RETURN(const std::string text, reader.String(is_literal ? "String" : "Regex"));
  if (is_literal && !text.empty()) return MakeLiteralPattern(text);
  auto pattern = MakeRegexPattern(text);
  if (!pattern.ok()) return Annotate(pattern.status(), document);
  return pattern;
}

absl::StatusOr<SplitBehavior> ParseSplitBehavior(absl::string_view name,
                                                 absl::string_view document) {
  if (name == "Removed") return SplitBehavior::kRemoved;
  if (name == "Isolated") return SplitBehavior::kIsolated;
  if (name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
  if (name == "Contiguous") return SplitBehavior::kContiguous;
  return absl::InvalidArgumentError(
      absl::StrCat(document, ": behavior \"", name,
                   "\" is not supported; Removed, Isolated, MergedWithPrevious, MergedWithNext and "
                   "Contiguous are"));
}

void SplitByPattern(const Pattern& pattern, SplitRule rule, absl::string_view text,
                    std::vector<absl::string_view>* parts) {
  if (rule.behavior == SplitBehavior::kIsolated) {
    pattern.Isolate(text, parts);
    return;
  }
  Parts spans;
  pattern.Find(text, &spans);
  if (rule.invert) {
    for (Span& span : spans) span.matches = !span.matches;
  }
  if (rule.behavior == SplitBehavior::kContiguous) spans = Contiguous(spans);
  if (rule.behavior == SplitBehavior::kMergedWithPrevious) spans = MergedWithPrevious(spans);
  if (rule.behavior == SplitBehavior::kMergedWithNext) spans = MergedWithNext(spans);
  for (const Span& span : spans) {
    if (rule.behavior == SplitBehavior::kRemoved && span.matches) continue;
    if (span.end > span.begin) parts->push_back(text.substr(span.begin, span.end - span.begin));
  }
}

}  // namespace trainyard::tokenizer
