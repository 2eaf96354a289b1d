// How a conversation becomes tokens: each role's tags around its text, and which tokens are learnt.

#ifndef TRAINYARD_TOKENIZER_CHAT_TEMPLATE_H_
#define TRAINYARD_TOKENIZER_CHAT_TEMPLATE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tokenizer/chat_catalog.h"
#include "tokenizer/chat_jinja.h"
#include "tokenizer/chat_layout.h"
#include "tokenizer/chat_spec.h"
#include "tokenizer/chat_tokens.h"
#include "tokenizer/tokenizer.h"

namespace trainyard::tokenizer {

// A template bound to a tokenizer. Immutable, thread-safe; the tokenizer must outlive it. The ids
// are those of `apply_chat_template` in transformers, but that what looks like a special token in a
// message stays text.
class ChatTemplate {
 public:
  // InvalidArgument: no assistant role; an end of turn that is no added token, or that the
  // assistant's suffix lacks.
  static absl::StatusOr<ChatTemplate> Bind(const ChatTemplateSpec& spec,
                                           const Tokenizer& tokenizer);

  // The whole conversation. Trained: of each assistant message with `train`, all that follows what
  // asks for it, up to and with the end of turn. Errors of LayOutChat.
  absl::StatusOr<RenderedChat> Render(absl::Span<const ChatMessage> messages) const;

  // The conversation so far and what asks the assistant for an answer: what a model is to continue.
  // Nothing in it is trained.
  absl::StatusOr<RenderedChat> RenderPrompt(absl::Span<const ChatMessage> messages) const;

  TokenId end_of_turn() const { return end_of_turn_; }
  const ChatTemplateSpec& spec() const { return spec_; }
  // SHA-256 (hex) of the spec, but for its name.
  const std::string& hash() const { return hash_; }

 private:
  ChatTemplate() = default;

  const Tokenizer* tokenizer_ = nullptr;
  ChatTemplateSpec spec_;
  std::string hash_;
  TokenId end_of_turn_ = 0;
};

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TOKENIZER_CHAT_TEMPLATE_H_
