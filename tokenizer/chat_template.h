// How a conversation becomes tokens: each role's tags around its text, and which tokens are learnt.

#ifndef TRAINYARD_TOKENIZER_CHAT_TEMPLATE_H_
#define TRAINYARD_TOKENIZER_CHAT_TEMPLATE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/json.h"
#include "tokenizer/tokenizer.h"

namespace trainyard::tokenizer {

struct ChatMessage {
  std::string role;  // a role of the template: system, user, assistant
  std::string content;
  bool train = true;  // counts only for assistant messages
};

// What stands around a role's text. Trusted: added tokens in it become their ids.
struct RoleFormat {
  std::string prefix;
  std::string suffix;
};

// A template in words; ChatTemplate is one bound to a tokenizer.
struct ChatTemplateSpec {
  std::string begin;                        // once, before the first message
  std::map<std::string, RoleFormat> roles;  // must have "assistant"
  std::string
      end_of_turn;  // an added token; the assistant's suffix holds it, and sampling stops there
};

// Templates by name: "chatml" (<|im_start|>, <|im_end|>) or "plain" (texts one after the other, the
// assistant's closed by `end_token`). InvalidArgument lists the names.
absl::StatusOr<ChatTemplateSpec> NamedChatTemplate(absl::string_view name,
                                                   absl::string_view end_token);
// {"begin", "roles": {"user": {"prefix", "suffix"}, ...}, "end_of_turn"}; `document` names it.
absl::StatusOr<ChatTemplateSpec> ParseChatTemplate(const Json& json, absl::string_view document);
Json ChatTemplateJson(const ChatTemplateSpec& spec);
// The same as a Jinja template, for transformers.
std::string ChatTemplateJinja(const ChatTemplateSpec& spec);

// What a token of a rendered conversation is; bits.
enum TokenFlags : uint8_t {
  kTrained = 1,  // the loss counts where this token is the target
  kTag = 2,      // belongs to the template, not to anybody's text
};

struct RenderedChat {
  std::vector<TokenId> ids;
  std::vector<uint8_t> flags;  // TokenFlags by token
};

// Immutable, thread-safe; the tokenizer must outlive it. Each text is encoded by itself, so that no
// token crosses the border of a tag, and what looks like a special token in it stays text.
class ChatTemplate {
 public:
  // InvalidArgument: no assistant role; an end of turn that is no added token, or that the
  // assistant's suffix lacks.
  static absl::StatusOr<ChatTemplate> Bind(const ChatTemplateSpec& spec,
                                           const Tokenizer& tokenizer);

  // The whole conversation. Trained: each assistant text with `train`, and the suffix after it up
  // to and with the end of turn. InvalidArgument: a role that the template lacks, no message.
  absl::StatusOr<RenderedChat> Render(absl::Span<const ChatMessage> messages) const;

  // The conversation so far and the assistant's prefix: what a model is asked to continue.
  absl::StatusOr<RenderedChat> RenderPrompt(absl::Span<const ChatMessage> messages) const;

  TokenId end_of_turn() const { return end_of_turn_; }
  const ChatTemplateSpec& spec() const { return spec_; }
  // SHA-256 (hex) of the spec.
  const std::string& hash() const { return hash_; }

 private:
  struct BoundRole {
    std::vector<TokenId> prefix;
    std::vector<TokenId> suffix;
    size_t trained_suffix_tokens = 0;
  };
  ChatTemplate() = default;
  absl::StatusOr<const BoundRole*> FindRole(absl::string_view role) const;

  const Tokenizer* tokenizer_ = nullptr;
  ChatTemplateSpec spec_;
  std::string hash_;
  std::vector<TokenId> begin_;
  std::map<std::string, BoundRole> roles_;
  TokenId end_of_turn_ = 0;
};

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TOKENIZER_CHAT_TEMPLATE_H_
