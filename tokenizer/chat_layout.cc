#include "tokenizer/chat_layout.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "tokenizer/utf8.h"

namespace trainyard::tokenizer {
namespace {

constexpr char kThinkBegin[] = "<think>";
constexpr char kThinkEnd[] = "</think>";
constexpr char kEmptyThought[] = "<think>\n\n</think>\n\n";

// What str.isspace() of Python holds for.
bool IsWhitespace(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
         c == 0x202F || c == 0x205F || c == 0x3000;
}

absl::string_view StripFront(absl::string_view text) {
  while (!text.empty()) {
    const size_t length = Utf8Length(text[0]);
    if (ValidUtf8Prefix(text.substr(0, length)) != length || !IsWhitespace(DecodeUtf8(text.data())))
      break;
    text.remove_prefix(length);
  }
  return text;
}

absl::string_view StripBack(absl::string_view text) {
  while (!text.empty()) {
    size_t length = 1;
    while (length < std::min(kMaxUtf8Bytes, text.size()) &&
           (static_cast<uint8_t>(text[text.size() - length]) & 0xC0) == 0x80) {
      ++length;
    }
    const absl::string_view last = text.substr(text.size() - length);
    if (ValidUtf8Prefix(last) != length || !IsWhitespace(DecodeUtf8(last.data()))) break;
    text.remove_suffix(length);
  }
  return text;
}

// `text` without line ends at its front or back.
absl::string_view StripLineEnds(absl::string_view text) {
  while (absl::StartsWith(text, "\n")) text.remove_prefix(1);
  while (absl::EndsWith(text, "\n")) text.remove_suffix(1);
  return text;
}

absl::string_view StripFrontLineEnds(absl::string_view text) {
  while (absl::StartsWith(text, "\n")) text.remove_prefix(1);
  return text;
}

// An assistant's text, taken apart as Qwen3's template does.
struct Thought {
  absl::string_view reasoning;
  absl::string_view answer;
};

Thought SplitThought(absl::string_view content) {
  const size_t first = content.find(kThinkEnd);
  if (first == absl::string_view::npos) return {"", content};
  absl::string_view reasoning = content.substr(0, first);
  const size_t begin = reasoning.rfind(kThinkBegin);
  if (begin != absl::string_view::npos) {
    reasoning.remove_prefix(begin + sizeof(kThinkBegin) - 1);
  }
  content.remove_prefix(content.rfind(kThinkEnd) + sizeof(kThinkEnd) - 1);
  return {StripLineEnds(reasoning), StripFrontLineEnds(content)};
}

class Layout {
 public:
  Layout(const ChatTemplateSpec& spec, absl::Span<const ChatMessage> messages)
      : spec_(spec), messages_(messages) {}

  absl::Status Run() {
    if (messages_.empty()) return absl::InvalidArgumentError("the conversation has no message");
    Tag(spec_.begin, false);
    TakeSystem();
    FindLastQuestion();
    for (size_t i = 0; i < messages_.size(); ++i) TY_RETURN_IF_ERROR(Turn(i));
    return absl::OkStatus();
  }

  void AskAnswer() {
    Tag(spec_.roles.at(kAssistantRole).prefix, false);
    if (spec_.thinking == Thinking::kOff) Tag(kEmptyThought, false);
  }

  std::vector<ChatPiece> TakePieces() { return std::move(pieces_); }

 private:
  void Tag(absl::string_view text, bool trained) {
    if (!text.empty()) pieces_.push_back({std::string(text), true, trained});
  }
  void Text(absl::string_view text, bool trained) {
    if (!text.empty()) pieces_.push_back({std::string(text), false, trained});
  }

  bool in_user() const {
    return spec_.system_place == SystemPlace::kFirstUser ||
           spec_.system_place == SystemPlace::kLastUser;
  }

  // The system message that opens the conversation: as a user's, or of the template itself.
  void TakeSystem() {
    const bool given = messages_[0].role == kSystemRole;
    if (spec_.system_place == SystemPlace::kBegin) {
      const RoleFormat& format = spec_.roles.at(kSystemRole);
      if (given) {
        const absl::string_view text = messages_[0].content;
        Text(format.trim ? StripWhitespace(text) : text, false);
        messages_.remove_prefix(1);
      }
      Tag(format.suffix, false);
      return;
    }
    if (given && in_user()) {
      system_ = &messages_[0];
      messages_.remove_prefix(1);
      return;
    }
    const auto format = spec_.roles.find(kSystemRole);
    if (given || spec_.default_system.empty() || format == spec_.roles.end()) return;
    Tag(absl::StrCat(format->second.prefix, spec_.default_system, format->second.suffix), false);
  }

  void FindLastQuestion() {
    last_question_ = messages_.empty() ? 0 : messages_.size() - 1;
    for (size_t i = messages_.size(); i-- > 0;) {
      const std::string& text = messages_[i].content;
      const bool tool = absl::StartsWith(text, "<tool_response>") &&
                        absl::EndsWith(text, "</tool_response>");
      if (messages_[i].role != kUserRole || tool) continue;
      last_question_ = i;
      return;
    }
  }

  absl::StatusOr<const RoleFormat*> FormatOf(size_t index) const {
    const std::string& role = messages_[index].role;
    const auto found = spec_.roles.find(role);
    if (found == spec_.roles.end()) {
      const auto append_name = [](std::string* out, const auto& entry) {
        out->append(entry.first);
      };
      return absl::InvalidArgumentError(absl::StrCat(
          "role \"", role, "\" is not in the chat template, which has: ",
          absl::StrJoin(spec_.roles, ", ", append_name)));
    }
    if (role == kSystemRole && in_user()) {
      return absl::InvalidArgumentError(
          "a message of role \"system\" must come first: the chat template puts it into the "
          "user's");
    }
    const char* wanted = index % 2 == 0 ? kUserRole : kAssistantRole;
    if (spec_.alternate && role != wanted) {
      return absl::InvalidArgumentError(
          absl::StrCat("after the optional system message the roles must alternate user, "
                       "assistant, user, ...: message ",
                       index + 1, " is of \"", role, "\""));
    }
    return &found->second;
  }

  absl::Status Turn(size_t index) {
    TY_ASSIGN_OR_RETURN(const RoleFormat* format, FormatOf(index));
    const ChatMessage& message = messages_[index];
    Tag(format->prefix, false);
    if (message.role == kAssistantRole) {
      Answer(index, *format);
      return absl::OkStatus();
    }
    const size_t first = pieces_.size();
    const size_t place =
        spec_.system_place == SystemPlace::kFirstUser ? 0 : messages_.size() - 1;
    if (system_ != nullptr && index == place && message.role == kUserRole) {
      const RoleFormat& system = spec_.roles.at(kSystemRole);
      Tag(system.prefix, false);
      Text(system_->content, false);
      Tag(system.suffix, false);
    }
    Text(message.content, false);
    if (format->trim) Trim(first);
    Tag(format->suffix, false);
    return absl::OkStatus();
  }

  // The pieces from `first` on without white space at both ends.
  void Trim(size_t first) {
    while (pieces_.size() > first) {
      pieces_.back().text = std::string(StripBack(pieces_.back().text));
      if (!pieces_.back().text.empty()) break;
      pieces_.pop_back();
    }
    while (pieces_.size() > first) {
      pieces_[first].text = std::string(StripFront(pieces_[first].text));
      if (!pieces_[first].text.empty()) break;
      pieces_.erase(pieces_.begin() + first);
    }
  }

  void Answer(size_t index, const RoleFormat& format) {
    const bool trained = messages_[index].train;
    absl::string_view text = messages_[index].content;
    Tag(spec_.answer_begin, trained);
    if (spec_.thinking != Thinking::kNone) {
      const Thought thought = SplitThought(text);
      text = thought.answer;
      const bool last = index + 1 == messages_.size();
      if (index > last_question_ && (last || !thought.reasoning.empty())) {
        text = StripFrontLineEnds(text);
        Reason(thought.reasoning, trained);
      }
    }
    Text(format.trim ? StripWhitespace(text) : text, trained);
    const size_t end = format.suffix.find(spec_.end_of_turn);
    const size_t learnt = end == std::string::npos ? 0 : end + spec_.end_of_turn.size();
    Tag(absl::string_view(format.suffix).substr(0, learnt), trained);
    Tag(absl::string_view(format.suffix).substr(learnt), false);
  }

  void Reason(absl::string_view reasoning, bool trained) {
    if (reasoning.empty()) {
      Tag(kEmptyThought, trained && spec_.thinking == Thinking::kOn);
      return;
    }
    Tag(absl::StrCat(kThinkBegin, "\n"), trained);
    Text(reasoning, trained);
    Tag(absl::StrCat("\n", kThinkEnd, "\n\n"), trained);
  }

  const ChatTemplateSpec& spec_;
  absl::Span<const ChatMessage> messages_;  // without a system message that is no turn
  const ChatMessage* system_ = nullptr;     // one that stands in a user's
  size_t last_question_ = 0;
  std::vector<ChatPiece> pieces_;
};

}  // namespace

absl::string_view StripWhitespace(absl::string_view text) { return StripFront(StripBack(text)); }

absl::StatusOr<std::vector<ChatPiece>> LayOutChat(const ChatTemplateSpec& spec,
                                                  absl::Span<const ChatMessage> messages,
                                                  ChatEnd end) {
  Layout layout(spec, messages);
  TY_RETURN_IF_ERROR(layout.Run());
  if (end == ChatEnd::kAskAnswer) layout.AskAnswer();
  return layout.TakePieces();
}

}  // namespace trainyard::tokenizer
