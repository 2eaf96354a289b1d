#include "tokenizer/normalizer.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/component.h"
#include "tokenizer/normal_form.h"
#include "tokenizer/pattern.h"
#include "tokenizer/unicode.h"
#include "tokenizer/utf8.h"

namespace trainyard::tokenizer {
namespace {

constexpr char kSupported[] =
    "NFC, NFD, NFKC, NFKD, Lowercase, Replace, Prepend, Strip, ByteLevel and Sequence";

class SequenceNormalizer : public Normalizer {
 public:
  explicit SequenceNormalizer(std::vector<std::unique_ptr<Normalizer>> steps)
      : steps_(std::move(steps)) {}
  void Apply(NormalText* text) const override {
    for (const auto& step : steps_) step->Apply(text);
  }

 private:
  const std::vector<std::unique_ptr<Normalizer>> steps_;
};

class FormNormalizer : public Normalizer {
 public:
  explicit FormNormalizer(NormalForm form) : form_(form) {}
  void Apply(NormalText* text) const override {
    std::string normal;
    if (!Normalize(form_, text->text, &normal)) return;
    text->first_bytes = FirstBytes(*text, normal);
    text->text = std::move(normal);
  }

 private:
  // The bytes of `normal` that come from the front of `before`: the front's own form, but where
  // its last character composes with the one behind it.
  size_t FirstBytes(const NormalText& before, absl::string_view normal) const {
    if (before.first_bytes == 0) return 0;
    std::string front = before.text.substr(0, before.first_bytes);
    std::string form;
    if (Normalize(form_, front, &form)) front = std::move(form);
    if (normal.substr(0, front.size()) == front) return front.size();
    size_t last = front.size() - 1;
    while (last > 0 && (static_cast<uint8_t>(front[last]) & 0xC0) == 0x80) --last;
    // Marks that change places can put another character where the last one began.
    size_t end = 0;
    while (end <= last && end < normal.size()) end += static_cast<size_t>(Utf8Length(normal[end]));
    return std::min(end, normal.size());
  }

  const NormalForm form_;
};

// A change of each character by itself.
class CharacterNormalizer : public Normalizer {
 public:
  using Change = std::string (*)(absl::string_view);
  explicit CharacterNormalizer(Change change) : change_(change) {}
  void Apply(NormalText* text) const override {
    const absl::string_view whole = text->text;
    std::string front = change_(whole.substr(0, text->first_bytes));
    const std::string rest = change_(whole.substr(text->first_bytes));
    text->first_bytes = front.size();
    text->text = std::move(front) + rest;
  }

 private:
  const Change change_;
};

std::string Lowercase(absl::string_view text) {
  std::string lower;
  lower.reserve(text.size());
  for (size_t at = 0; at < text.size(); at += Utf8Length(text[at])) {
    AppendLowercase(DecodeUtf8(text.data() + at), &lower);
  }
  return lower;
}

class ReplaceNormalizer : public Normalizer {
 public:
  ReplaceNormalizer(std::unique_ptr<Pattern> pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}
  void Apply(NormalText* text) const override {
    std::vector<Span> spans;
    pattern_->Find(text->text, &spans);
    NormalText result;
    result.text.reserve(text->text.size());
    for (const Span& span : spans) {
      if (!span.matches) {
        result.text.append(text->text, span.begin, span.end - span.begin);
        result.first_bytes += std::clamp(text->first_bytes, span.begin, span.end) - span.begin;
        continue;
      }
      result.text += content_;
      // The content stems from the last character that it replaces.
      if (text->first_bytes > 0 && span.end <= text->first_bytes) {
        result.first_bytes += content_.size();
      }
    }
    *text = std::move(result);
  }

 private:
  const std::unique_ptr<Pattern> pattern_;
  const std::string content_;
};

class PrependNormalizer : public Normalizer {
 public:
  explicit PrependNormalizer(std::string prefix) : prefix_(std::move(prefix)) {}
  void Apply(NormalText* text) const override {
    if (text->text.empty()) return;
    text->text.insert(0, prefix_);
    if (text->first_bytes > 0) text->first_bytes += prefix_.size();
  }

 private:
  const std::string prefix_;
};

class StripNormalizer : public Normalizer {
 public:
  StripNormalizer(bool left, bool right) : left_(left), right_(right) {}
  void Apply(NormalText* text) const override {
    const std::string& whole = text->text;
    size_t begin = 0, end = whole.size();
    while (left_ && begin < end && IsWhiteSpace(DecodeUtf8(whole.data() + begin))) {
      begin += Utf8Length(whole[begin]);
    }
    while (right_ && end > begin) {
      size_t last = end - 1;
      while ((static_cast<uint8_t>(whole[last]) & 0xC0) == 0x80) --last;
      if (!IsWhiteSpace(DecodeUtf8(whole.data() + last))) break;
      end = last;
    }
    text->first_bytes = std::clamp(text->first_bytes, begin, end) - begin;
    text->text = whole.substr(begin, end - begin);
  }

 private:
  const bool left_, right_;
};

absl::StatusOr<std::unique_ptr<Normalizer>> MakeSequence(const Json& json,
                                                         absl::string_view document) {
  TY_ASSIGN_OR_RETURN(const Json* elements, ReadSequence(json, "normalizers", document));
  std::vector<std::unique_ptr<Normalizer>> steps;
  for (const Json& element : *elements) {
    TY_ASSIGN_OR_RETURN(std::unique_ptr<Normalizer> step, MakeNormalizer(element, document));
    if (step != nullptr) steps.push_back(std::move(step));
  }
  return std::make_unique<SequenceNormalizer>(std::move(steps));
}

absl::StatusOr<std::unique_ptr<Normalizer>> MakeReplace(const Json& json,
                                                        absl::string_view document) {
  const JsonReader reader(json, document);
  TY_RETURN_IF_ERROR(reader.OnlyFields({"type", "pattern", "content"}));
  TY_ASSIGN_OR_RETURN(const Json* pattern_json, reader.Object("pattern"));
  TY_ASSIGN_OR_RETURN(std::unique_ptr<Pattern> pattern, ReadPattern(*pattern_json, document));
  TY_ASSIGN_OR_RETURN(std::string content, reader.String("content"));
  return std::make_unique<ReplaceNormalizer>(std::move(pattern), std::move(content));
}

absl::StatusOr<std::unique_ptr<Normalizer>> MakeStrip(const Json& json,
                                                      absl::string_view document) {
  const JsonReader reader(json, document);
  TY_RETURN_IF_ERROR(reader.OnlyFields({"type", "strip_left", "strip_right"}));
  TY_ASSIGN_OR_RETURN(const bool left, reader.Bool("strip_left"));
  TY_ASSIGN_OR_RETURN(const bool right, reader.Bool("strip_right"));
  return std::make_unique<StripNormalizer>(left, right);
}

absl::StatusOr<std::unique_ptr<Normalizer>> MakePrepend(const Json& json,
                                                        absl::string_view document) {
  const JsonReader reader(json, document);
  TY_RETURN_IF_ERROR(reader.OnlyFields({"type", "prepend"}));
  TY_ASSIGN_OR_RETURN(std::string prefix, reader.String("prepend"));
  return std::make_unique<PrependNormalizer>(std::move(prefix));
}

// Those without fields of their own; null for another type.
std::unique_ptr<Normalizer> MakePlain(absl::string_view type) {
  if (type == "NFC") return std::make_unique<FormNormalizer>(NormalForm::kNfc);
  if (type == "NFD") return std::make_unique<FormNormalizer>(NormalForm::kNfd);
  if (type == "NFKC") return std::make_unique<FormNormalizer>(NormalForm::kNfkc);
  if (type == "NFKD") return std::make_unique<FormNormalizer>(NormalForm::kNfkd);
  if (type == "Lowercase") return std::make_unique<CharacterNormalizer>(&Lowercase);
  if (type == "ByteLevel") return std::make_unique<CharacterNormalizer>(&BytesToAlphabet);
  return nullptr;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Normalizer>> MakeNormalizer(const Json& json,
                                                           absl::string_view document) {
  if (json.is_null()) return std::unique_ptr<Normalizer>();
  TY_ASSIGN_OR_RETURN(const std::string type, ComponentType(json, document));
  if (type == "Sequence") return MakeSequence(json, document);
  if (type == "Replace") return MakeReplace(json, document);
  if (type == "Prepend") return MakePrepend(json, document);
  if (type == "Strip") return MakeStrip(json, document);
  std::unique_ptr<Normalizer> plain = MakePlain(type);
  if (plain == nullptr) return UnsupportedType(document, type, kSupported);
  TY_RETURN_IF_ERROR(JsonReader(json, document).OnlyFields({"type"}));
  return plain;
}

}  // namespace trainyard::tokenizer
