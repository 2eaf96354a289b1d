#include "tokenizer/chat_template.h"

#include <cstdint>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/status.h"

namespace trainyard::tokenizer {

absl::StatusOr<ChatTemplate> ChatTemplate::Bind(const ChatTemplateSpec& spec,
                                                const Tokenizer& tokenizer) {
  ChatTemplate bound;
  bound.tokenizer_ = &tokenizer;
  bound.spec_ = spec;
  ChatTemplateSpec nameless = spec;
  nameless.name.clear();
  bound.hash_ = Sha256Hex(ChatTemplateJson(nameless).dump());
  auto end_of_turn = tokenizer.RequireAddedId(spec.end_of_turn);
  if (!end_of_turn.ok()) return Annotate(end_of_turn.status(), "chat template's end_of_turn");
  bound.end_of_turn_ = *end_of_turn;
  const auto assistant = spec.roles.find(kAssistantRole);
  if (assistant == spec.roles.end()) {
    return absl::InvalidArgumentError("the chat template has no role \"assistant\"");
  }
  const std::string& suffix = assistant->second.suffix;
  if (!absl::StrContains(suffix, spec.end_of_turn)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the suffix of role \"assistant\", \"", suffix, "\", lacks the end of turn \"",
        spec.end_of_turn, "\": a model would never learn to stop"));
  }
  return bound;
}

absl::StatusOr<RenderedChat> ChatTemplate::Render(absl::Span<const ChatMessage> messages) const {
  TY_ASSIGN_OR_RETURN(const std::vector<ChatPiece> pieces,
                      LayOutChat(spec_, messages, ChatEnd::kWhole));
  return TokensOfChat(*tokenizer_, pieces);
}

absl::StatusOr<RenderedChat> ChatTemplate::RenderPrompt(
    absl::Span<const ChatMessage> messages) const {
  TY_ASSIGN_OR_RETURN(std::vector<ChatPiece> pieces,
                      LayOutChat(spec_, messages, ChatEnd::kAskAnswer));
  for (ChatPiece& piece : pieces) piece.trained = false;
  return TokensOfChat(*tokenizer_, pieces);
}

}  // namespace trainyard::tokenizer
