#include "tokenizer/pretokenizer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/status.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/component.h"
#include "tokenizer/pattern.h"
#include "tokenizer/unicode.h"

namespace trainyard::tokenizer {
namespace {

constexpr char kSupported[] =
    "ByteLevel, Split, Metaspace, Digits, Whitespace, WhitespaceSplit and Sequence";

// What Rust's regex crate understands by \w+|[^\w\s]+.
constexpr char kWordsOrSigns[] =
    "[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{200C}\\x{200D}]+|"
    "[^\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{200C}\\x{200D}\\p{White_Space}]+";

absl::string_view Keep(std::string text, Pieces* pieces) {
  return pieces->rewritten.emplace_back(std::move(text));
}

// `piece` with `prefix` before it, which stems from where the piece begins.
Piece WithPrefix(absl::string_view prefix, const Piece& piece, Pieces* pieces) {
  return {Keep(absl::StrCat(prefix, piece.text), pieces),
          piece.first_bytes > 0 ? piece.first_bytes + prefix.size() : 0};
}

// Cuts each piece by a pattern.
void Split(const Pattern& pattern, SplitRule rule, std::vector<Piece>* list) {
  std::vector<Piece> cut;
  cut.reserve(list->size());
  std::vector<absl::string_view> parts;
  for (const Piece& piece : *list) {
    parts.clear();
    SplitByPattern(pattern, rule, piece.text, &parts);
    for (const absl::string_view part : parts) {
      const size_t begin = static_cast<size_t>(part.data() - piece.text.data());
      const size_t end = begin + part.size();
      cut.push_back({part, std::clamp(piece.first_bytes, begin, end) - begin});
    }
  }
  *list = std::move(cut);
}

class SequencePretokenizer : public Pretokenizer {
 public:
  explicit SequencePretokenizer(std::vector<std::unique_ptr<Pretokenizer>> steps)
      : steps_(std::move(steps)) {}
  void Apply(Pieces* pieces) const override {
    for (const auto& step : steps_) step->Apply(pieces);
  }

 private:
  const std::vector<std::unique_ptr<Pretokenizer>> steps_;
};

class SplitPretokenizer : public Pretokenizer {
 public:
  SplitPretokenizer(std::unique_ptr<Pattern> pattern, SplitRule rule)
      : pattern_(std::move(pattern)), rule_(rule) {}
  void Apply(Pieces* pieces) const override { Split(*pattern_, rule_, &pieces->list); }

 private:
  const std::unique_ptr<Pattern> pattern_;
  const SplitRule rule_;
};

struct ByteLevelOptions {
  bool add_prefix_space = true;
  bool use_regex = true;
  bool last = false;  // the bytes are left as they are
};

class ByteLevelPretokenizer : public Pretokenizer {
 public:
  explicit ByteLevelPretokenizer(ByteLevelOptions options)
      : options_(options), pattern_(MakeGpt2Pattern()) {}

  void Apply(Pieces* pieces) const override {
    if (options_.add_prefix_space) {
      for (Piece& piece : pieces->list) {
        if (piece.text[0] != ' ') piece = WithPrefix(" ", piece, pieces);
      }
    }
    if (options_.use_regex) Split(*pattern_, {}, &pieces->list);
    if (options_.last) return;
    for (Piece& piece : pieces->list) {
      std::string front = BytesToAlphabet(piece.text.substr(0, piece.first_bytes));
      const std::string rest = BytesToAlphabet(piece.text.substr(piece.first_bytes));
      piece.first_bytes = front.size();
      piece.text = Keep(std::move(front) + rest, pieces);
    }
  }

 private:
  const ByteLevelOptions options_;
  const std::unique_ptr<Pattern> pattern_;
};

class MetaspacePretokenizer : public Pretokenizer {
 public:
  explicit MetaspacePretokenizer(Metaspace options)
      : options_(std::move(options)), pattern_(MakeLiteralPattern(options_.replacement)) {}

  void Apply(Pieces* pieces) const override {
    for (Piece& piece : pieces->list) {
      if (absl::StrContains(piece.text, ' ')) piece = WithoutSpaces(piece, pieces);
      const bool prepends =
          options_.prepend == Metaspace::Prepend::kAlways ||
          (options_.prepend == Metaspace::Prepend::kFirst && piece.first_bytes > 0);
      if (prepends && !absl::StartsWith(piece.text, options_.replacement)) {
        piece = WithPrefix(options_.replacement, piece, pieces);
      }
    }
    if (options_.split) {
      Split(*pattern_, {SplitBehavior::kMergedWithNext, false}, &pieces->list);
    }
  }

 private:
  Piece WithoutSpaces(const Piece& piece, Pieces* pieces) const {
    const auto replaced = [&](absl::string_view text) {
      return absl::StrReplaceAll(text, {{" ", options_.replacement}});
    };
    std::string front = replaced(piece.text.substr(0, piece.first_bytes));
    const size_t first_bytes = front.size();
    front += replaced(piece.text.substr(piece.first_bytes));
    return {Keep(std::move(front), pieces), first_bytes};
  }

  const Metaspace options_;
  const std::unique_ptr<Pattern> pattern_;
};

using Made = absl::StatusOr<std::unique_ptr<Pretokenizer>>;

Made MakeByteLevel(const Json& json, absl::string_view document, bool last) {
  const JsonReader reader(json, document);
  TY_RETURN_IF_ERROR(reader.OnlyFields({"type", "add_prefix_space", "trim_offsets", "use_regex"}));
  ByteLevelOptions options;
  TY_ASSIGN_OR_RETURN(options.add_prefix_space, reader.Bool("add_prefix_space", true));
  TY_ASSIGN_OR_RETURN(options.use_regex, reader.Bool("use_regex", true));
  options.last = last;
  return std::make_unique<ByteLevelPretokenizer>(options);
}

Made MakeSplit(const Json& json, absl::string_view document) {
  const JsonReader reader(json, document);
  TY_RETURN_IF_ERROR(reader.OnlyFields({"type", "pattern", "behavior", "invert"}));
  TY_ASSIGN_OR_RETURN(const Json* pattern_json, reader.Object("pattern"));
  TY_ASSIGN_OR_RETURN(std::unique_ptr<Pattern> pattern, ReadPattern(*pattern_json, document));
  TY_ASSIGN_OR_RETURN(const std::string behavior, reader.String("behavior"));
  SplitRule rule;
  TY_ASSIGN_OR_RETURN(rule.behavior, ParseSplitBehavior(behavior, document));
  TY_ASSIGN_OR_RETURN(rule.invert, reader.Bool("invert", false));
  return std::make_unique<SplitPretokenizer>(std::move(pattern), rule);
}

Made MakeDigits(const Json& json, absl::string_view document) {
  const JsonReader reader(json, document);
  TY_RETURN_IF_ERROR(reader.OnlyFields({"type", "individual_digits"}));
  TY_ASSIGN_OR_RETURN(const bool individual, reader.Bool("individual_digits", false));
  return std::make_unique<SplitPretokenizer>(
      MakeCharacterPattern(&IsNumber),
      SplitRule{individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous, false});
}

Made MakeWhitespace(const Json& json, absl::string_view document, absl::string_view type) {
  TY_RETURN_IF_ERROR(JsonReader(json, document).OnlyFields({"type"}));
  if (type == "WhitespaceSplit") {
    return std::make_unique<SplitPretokenizer>(MakeCharacterPattern(&IsWhiteSpace),
                                               SplitRule{SplitBehavior::kRemoved, false});
  }
  TY_ASSIGN_OR_RETURN(std::unique_ptr<Pattern> pattern, MakePcre2Pattern(kWordsOrSigns));
  return std::make_unique<SplitPretokenizer>(std::move(pattern),
                                             SplitRule{SplitBehavior::kRemoved, true});
}

Made MakeStep(const Json& json, absl::string_view document, bool last) {
  TY_ASSIGN_OR_RETURN(const std::string type, ComponentType(json, document));
  if (type == "ByteLevel") return MakeByteLevel(json, document, last);
  if (type == "Split") return MakeSplit(json, document);
  if (type == "Metaspace") {
    TY_ASSIGN_OR_RETURN(Metaspace options, ReadMetaspace(json, document));
    return std::make_unique<MetaspacePretokenizer>(std::move(options));
  }
  if (type == "Digits") return MakeDigits(json, document);
  if (type == "Whitespace" || type == "WhitespaceSplit") {
    return MakeWhitespace(json, document, type);
  }
  return UnsupportedType(document, type, kSupported);
}

}  // namespace

absl::StatusOr<PretokenizerChoice> MakePretokenizer(const Json& json, absl::string_view document) {
  PretokenizerChoice choice;
  if (json.is_null()) return choice;
  std::vector<const Json*> elements;
  TY_RETURN_IF_ERROR(FlattenSequence(json, "pretokenizers", document, &elements));
  std::vector<std::unique_ptr<Pretokenizer>> steps;
  for (const Json* element : elements) {
    const bool last = element == elements.back();
    TY_ASSIGN_OR_RETURN(steps.emplace_back(), MakeStep(*element, document, last));
    choice.raw_bytes = last && (*element)["type"] == "ByteLevel";
  }
  choice.pretokenizer = steps.size() == 1
                            ? std::move(steps[0])
                            : std::make_unique<SequencePretokenizer>(std::move(steps));
  return choice;
}

}  // namespace trainyard::tokenizer
