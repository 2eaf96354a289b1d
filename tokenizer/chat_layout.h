// A conversation laid out by a template: texts one after the other, before any of them is tokens.

#ifndef TRAINYARD_TOKENIZER_CHAT_LAYOUT_H_
#define TRAINYARD_TOKENIZER_CHAT_LAYOUT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tokenizer/chat_spec.h"

namespace trainyard::tokenizer {

// A stretch of a rendered conversation.
struct ChatPiece {
  std::string text;
  bool tag = false;      // of the template, not of anybody's text: added tokens count in it
  bool trained = false;  // the model is to write it
};

enum class ChatEnd {
  kWhole,      // ends with the last message
  kAskAnswer,  // and then with what asks the assistant for an answer
};

// Lays out `messages`. The texts put together are what `apply_chat_template` of transformers
// renders with ChatTemplateJinja(spec). Trained: of each assistant message with `train`, what
// follows that which asks for it, up to and with the end of turn. InvalidArgument: no message, a
// role that the template lacks, roles that do not alternate where they must.
absl::StatusOr<std::vector<ChatPiece>> LayOutChat(const ChatTemplateSpec& spec,
                                                  absl::Span<const ChatMessage> messages,
                                                  ChatEnd end);

// Without the white space of Unicode at both ends, as Python's str.strip and Jinja's trim.
absl::string_view StripWhitespace(absl::string_view text);

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TOKENIZER_CHAT_LAYOUT_H_
