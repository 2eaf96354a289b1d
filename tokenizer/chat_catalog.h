// The chat templates that have a name, and which of them a model's own template is.

#ifndef TRAINYARD_TOKENIZER_CHAT_CATALOG_H_
#define TRAINYARD_TOKENIZER_CHAT_CATALOG_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tokenizer/chat_spec.h"

namespace trainyard::tokenizer {

// What tokenizer_config.json calls bos_token and eos_token; empty: it names none.
struct ChatTokens {
  std::string begin;
  std::string end;
};

// "chatml, plain, ...": every name, for messages.
std::string ChatTemplateNames();
bool IsChatTemplateName(absl::string_view name);

// Of published models the template renders as their own `chat_template` does without tools.
// "alpaca" is Stanford Alpaca's text without input; "plain" puts texts one after the other, a
// line end after each but the assistant's. InvalidArgument: an unknown name, with the names there
// are; a template whose turns end with the end token, which `tokens` lacks.
absl::StatusOr<ChatTemplateSpec> NamedChatTemplate(absl::string_view name,
                                                   const ChatTokens& tokens);

// The template that a `chat_template` is: of a published one the fingerprint of CanonicalJinja is
// known, and what ChatTemplateJinja writes is known too. InvalidArgument for any other: names
// `document`, the templates there are and what to do.
absl::StatusOr<ChatTemplateSpec> RecogniseChatTemplate(absl::string_view jinja,
                                                       const ChatTokens& tokens,
                                                       absl::string_view document);

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TOKENIZER_CHAT_CATALOG_H_
