#include "tokenizer/decoder_step.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/component.h"
#include "tokenizer/pattern.h"
#include "tokenizer/utf8.h"

namespace trainyard::tokenizer {
namespace {

using Out = std::vector<TokenPart>;
using Made = absl::StatusOr<std::unique_ptr<DecoderStep>>;

constexpr char kSupported[] =
    "ByteLevel, ByteFallback, Fuse, Replace, Strip, Metaspace and Sequence";

// The byte of "<0x41>".
std::optional<char> FallbackByte(absl::string_view token) {
  const auto hex = [](char c) {
    return absl::ascii_isdigit(c) ? c - '0' : absl::ascii_toupper(c) - 'A' + 10;
  };
  if (token.size() != 6 || !absl::StartsWith(token, "<0x") || token[5] != '>') return std::nullopt;
  if (token[3] == '+' && absl::ascii_isxdigit(token[4])) return static_cast<char>(hex(token[4]));
  if (!absl::ascii_isxdigit(token[3]) || !absl::ascii_isxdigit(token[4])) return std::nullopt;
  return static_cast<char>(hex(token[3]) * 16 + hex(token[4]));
}

class JoinStep : public DecoderStep {
 public:
  std::unique_ptr<DecoderStep> Start() const override { return std::make_unique<JoinStep>(); }
  void Put(TokenPart token, Out* out) override {
    if (!first_) token.text = absl::StrCat(" ", token.text);
    first_ = false;
    out->push_back(std::move(token));
  }
  void End(Out*) override {}
  std::string BytesOf(std::string token) const override { return absl::StrCat(" ", token); }

 private:
  bool first_ = true;
};

class FuseStep : public DecoderStep {
 public:
  std::unique_ptr<DecoderStep> Start() const override { return std::make_unique<FuseStep>(); }
  void Put(TokenPart token, Out* out) override {
    token.begins = first_;
    first_ = false;
    out->push_back(std::move(token));
  }
  void End(Out*) override {}
  std::string BytesOf(std::string token) const override { return token; }
  bool fuses() const override { return true; }

 private:
  bool first_ = true;
};

// Tokens in the byte alphabet; one that holds another character stands for its own bytes.
class ByteLevelStep : public DecoderStep {
 public:
  std::unique_ptr<DecoderStep> Start() const override { return std::make_unique<ByteLevelStep>(); }
  void Put(TokenPart token, Out* out) override {
    pending_ += BytesOf(std::move(token.text));
    Give(TakeCertainUtf8(&pending_), out);
  }
  void End(Out* out) override {
    Give(pending_.empty() ? "" : kReplacementCharacter, out);
    pending_.clear();
  }
  std::string BytesOf(std::string token) const override {
    std::optional<std::string> bytes = AlphabetToBytes(token);
    return bytes.has_value() ? *std::move(bytes) : token;
  }
  bool fuses() const override { return true; }

 private:
  void Give(std::string text, Out* out) {
    if (text.empty()) return;
    out->push_back({std::move(text), first_});
    first_ = false;
  }

  std::string pending_;  // the beginning of one character
  bool first_ = true;
};

// A run of tokens like <0xE4> is one token when its bytes are valid UTF-8, else a U+FFFD for each.
class ByteFallbackStep : public DecoderStep {
 public:
  std::unique_ptr<DecoderStep> Start() const override {
    return std::make_unique<ByteFallbackStep>();
  }
  void Put(TokenPart token, Out* out) override {
    if (const std::optional<char> byte = FallbackByte(token.text)) {
      run_.push_back(*byte);
      return;
    }
    End(out);
    out->push_back(std::move(token));
  }
  void End(Out* out) override {
    if (run_.empty()) return;
    if (IsValidUtf8(run_)) {
      out->push_back({run_, true});
    } else {
      out->insert(out->end(), run_.size(), TokenPart{kReplacementCharacter, true});
    }
    run_.clear();
  }
  std::string BytesOf(std::string token) const override {
    const std::optional<char> byte = FallbackByte(token);
    return byte.has_value() ? std::string(1, *byte) : token;
  }

 private:
  std::string run_;
};

class ReplaceStep : public DecoderStep {
 public:
  ReplaceStep(std::shared_ptr<const Pattern> pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}
  std::unique_ptr<DecoderStep> Start() const override {
    return std::make_unique<ReplaceStep>(pattern_, content_);
  }
  void Put(TokenPart token, Out* out) override {
    out->push_back({BytesOf(std::move(token.text)), token.begins});
  }
  void End(Out*) override {}
  std::string BytesOf(std::string token) const override {
    std::vector<Span> spans;
    pattern_->Find(token, &spans);
    std::string result;
    for (const Span& span : spans) {
      result += span.matches ? content_ : token.substr(span.begin, span.end - span.begin);
    }
    return result;
  }

 private:
  const std::shared_ptr<const Pattern> pattern_;
  const std::string content_;
};

struct StripOptions {
  std::string content;  // one character
  size_t start = 0, stop = 0;
};

// Takes up to `start` and `stop` of one character from the ends of each token.
class StripStep : public DecoderStep {
 public:
  StripStep(StripOptions options, bool fused) : options_(std::move(options)), fused_(fused) {}
  std::unique_ptr<DecoderStep> Start() const override {
    return std::make_unique<StripStep>(options_, fused_);
  }
  void Put(TokenPart token, Out* out) override {
    if (token.begins) left_ = options_.start;
    absl::string_view text = token.text;
    while (left_ > 0 && absl::StartsWith(text, options_.content)) {
      text.remove_prefix(options_.content.size());
      --left_;
    }
    if (!text.empty()) left_ = 0;
    for (size_t i = 0; i < options_.stop && absl::EndsWith(text, options_.content); ++i) {
      text.remove_suffix(options_.content.size());
    }
    out->push_back({std::string(text), token.begins});
  }
  void End(Out*) override {}
  std::string BytesOf(std::string token) const override {
    if (fused_) return token;  // the ends of the whole text are meant
    Out out;
    Start()->Put({std::move(token), true}, &out);
    return std::move(out[0].text);
  }

 private:
  const StripOptions options_;
  const bool fused_;
  size_t left_ = 0;  // how many can still go at the front
};

class MetaspaceStep : public DecoderStep {
 public:
  explicit MetaspaceStep(Metaspace options)
      : options_(std::move(options)), pattern_(MakeLiteralPattern(options_.replacement)) {}
  std::unique_ptr<DecoderStep> Start() const override {
    return std::make_unique<MetaspaceStep>(options_);
  }
  void Put(TokenPart token, Out* out) override {
    if (token.begins) ++tokens_;
    const bool drops = tokens_ == 1 && options_.prepend != Metaspace::Prepend::kNever;
    out->push_back({Replaced(token.text, drops ? "" : " "), token.begins});
  }
  void End(Out*) override {}
  std::string BytesOf(std::string token) const override { return Replaced(token, " "); }

 private:
  std::string Replaced(absl::string_view token, absl::string_view by) const {
    std::vector<Span> spans;
    pattern_->Find(token, &spans);
    std::string result;
    for (const Span& span : spans) {
      absl::StrAppend(&result, span.matches ? by : token.substr(span.begin, span.end - span.begin));
    }
    return result;
  }

  const Metaspace options_;
  const std::unique_ptr<Pattern> pattern_;
  int64_t tokens_ = 0;
};

// Collects the one token that a step must see as a whole.
class WholeTokenStep : public DecoderStep {
 public:
  explicit WholeTokenStep(std::unique_ptr<DecoderStep> step) : step_(std::move(step)) {}
  std::unique_ptr<DecoderStep> Start() const override {
    return std::make_unique<WholeTokenStep>(step_->Start());
  }
  void Put(TokenPart token, Out*) override { text_ += token.text; }
  void End(Out* out) override {
    step_->Put({std::move(text_), true}, out);
    step_->End(out);
  }
  std::string BytesOf(std::string token) const override { return step_->BytesOf(std::move(token)); }
  bool fuses() const override { return true; }

 private:
  const std::unique_ptr<DecoderStep> step_;
  std::string text_;
};

std::unique_ptr<DecoderStep> WholeIf(bool fused, std::unique_ptr<DecoderStep> step) {
  if (!fused) return step;
  return std::make_unique<WholeTokenStep>(std::move(step));
}

Made MakeReplace(const Json& json, bool fused, absl::string_view document) {
  const JsonReader reader(json, document);
  TY_RETURN_IF_ERROR(reader.OnlyFields({"type", "pattern", "content"}));
  TY_ASSIGN_OR_RETURN(const Json* pattern_json, reader.Object("pattern"));
  TY_ASSIGN_OR_RETURN(std::unique_ptr<Pattern> pattern, ReadPattern(*pattern_json, document));
  TY_ASSIGN_OR_RETURN(std::string content, reader.String("content"));
  return WholeIf(fused, std::make_unique<ReplaceStep>(std::move(pattern), std::move(content)));
}

Made MakeStrip(const Json& json, bool fused, absl::string_view document) {
  const JsonReader reader(json, document);
  TY_RETURN_IF_ERROR(reader.OnlyFields({"type", "content", "start", "stop"}));
  StripOptions options;
  TY_ASSIGN_OR_RETURN(options.content, ReadCharacter(reader, "content", document));
  TY_ASSIGN_OR_RETURN(const int64_t start, reader.Int("start"));
  TY_ASSIGN_OR_RETURN(const int64_t stop, reader.Int("stop"));
  if (start < 0 || stop < 0) {
    return absl::InvalidArgumentError(absl::StrCat(document, ": start ", start, " and stop ", stop,
                                                   " of Strip must not be negative"));
  }
  options.start = static_cast<size_t>(start);
  options.stop = static_cast<size_t>(stop);
  return WholeIf(fused && stop > 0, std::make_unique<StripStep>(std::move(options), fused));
}

}  // namespace

std::unique_ptr<DecoderStep> MakeJoinStep() { return std::make_unique<JoinStep>(); }

absl::StatusOr<std::unique_ptr<DecoderStep>> MakeDecoderStep(const Json& json, bool fused,
                                                             absl::string_view document) {
  TY_ASSIGN_OR_RETURN(const std::string type, ComponentType(json, document));
  if (type == "Replace") return MakeReplace(json, fused, document);
  if (type == "Strip") return MakeStrip(json, fused, document);
  if (type == "Metaspace") {
    TY_ASSIGN_OR_RETURN(Metaspace options, ReadMetaspace(json, document));
    return std::make_unique<MetaspaceStep>(std::move(options));
  }
  const JsonReader reader(json, document);
  if (type == "ByteLevel") {
    TY_RETURN_IF_ERROR(
        reader.OnlyFields({"type", "add_prefix_space", "trim_offsets", "use_regex"}));
    return WholeIf(fused, std::make_unique<ByteLevelStep>());
  }
  if (type == "Fuse" || type == "ByteFallback") {
    TY_RETURN_IF_ERROR(reader.OnlyFields({"type"}));
    if (type == "Fuse") return std::make_unique<FuseStep>();
    return WholeIf(fused, std::make_unique<ByteFallbackStep>());
  }
  return UnsupportedType(document, type, kSupported);
}

}  // namespace trainyard::tokenizer
