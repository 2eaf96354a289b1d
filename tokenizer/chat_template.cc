#include "tokenizer/chat_template.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/checksum.h"
#include "base/status.h"

namespace trainyard::tokenizer {
namespace {

constexpr char kAssistant[] = "assistant";

void Append(absl::Span<const TokenId> ids, size_t trained, RenderedChat* chat) {
  for (size_t i = 0; i < ids.size(); ++i) {
    chat->ids.push_back(ids[i]);
    chat->flags.push_back(kTag | (i < trained ? kTrained : 0));
  }
}

std::string JinjaQuoted(absl::string_view text) { return Json(std::string(text)).dump(); }

}  // namespace

absl::StatusOr<ChatTemplateSpec> NamedChatTemplate(absl::string_view name,
                                                   absl::string_view end_token) {
  ChatTemplateSpec spec;
  if (name == "chatml") {
    for (const char* role : {"system", "user", kAssistant}) {
      spec.roles[role] = {absl::StrCat("<|im_start|>", role, "\n"), "<|im_end|>\n"};
    }
    spec.end_of_turn = "<|im_end|>";
    return spec;
  }
  if (name == "plain") {
    spec.roles["system"] = {"", "\n"};
    spec.roles["user"] = {"", "\n"};
    spec.roles[kAssistant] = {"", std::string(end_token)};
    spec.end_of_turn = std::string(end_token);
    return spec;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("chat template \"", name,
                   "\" is unknown; there are chatml and plain, and custom with roles"));
}

absl::StatusOr<ChatTemplateSpec> ParseChatTemplate(const Json& json, absl::string_view document) {
  JsonReader reader(json, document);
  TY_RETURN_IF_ERROR(reader.OnlyFields({"begin", "roles", "end_of_turn"}));
  ChatTemplateSpec spec;
  TY_ASSIGN_OR_RETURN(spec.begin, reader.String("begin", ""));
  TY_ASSIGN_OR_RETURN(spec.end_of_turn, reader.String("end_of_turn"));
  TY_ASSIGN_OR_RETURN(const Json* roles, reader.Object("roles"));
  for (const auto& [role, format] : roles->items()) {
    JsonReader fields(format, absl::StrCat(document, ": roles.", role));
    TY_RETURN_IF_ERROR(fields.OnlyFields({"prefix", "suffix"}));
    RoleFormat& target = spec.roles[role];
    TY_ASSIGN_OR_RETURN(target.prefix, fields.String("prefix", ""));
    TY_ASSIGN_OR_RETURN(target.suffix, fields.String("suffix", ""));
  }
  return spec;
}

Json ChatTemplateJson(const ChatTemplateSpec& spec) {
  Json roles = Json::object();
  for (const auto& [role, format] : spec.roles) {
    roles[role] = {{"prefix", format.prefix}, {"suffix", format.suffix}};
  }
  return {{"begin", spec.begin}, {"roles", roles}, {"end_of_turn", spec.end_of_turn}};
}

std::string ChatTemplateJinja(const ChatTemplateSpec& spec) {
  std::string jinja;
  if (!spec.begin.empty()) absl::StrAppend(&jinja, "{{ ", JinjaQuoted(spec.begin), " }}");
  absl::StrAppend(&jinja, "{% for message in messages %}");
  const char* keyword = "if";
  for (const auto& [role, format] : spec.roles) {
    absl::StrAppend(&jinja, "{% ", keyword, " message['role'] == ", JinjaQuoted(role), " %}{{ ",
                    JinjaQuoted(format.prefix), " + message['content'] + ",
                    JinjaQuoted(format.suffix), " }}");
    keyword = "elif";
  }
  absl::StrAppend(&jinja, "{% endif %}{% endfor %}");
  const auto assistant = spec.roles.find(kAssistant);
  if (assistant != spec.roles.end() && !assistant->second.prefix.empty()) {
    absl::StrAppend(&jinja, "{% if add_generation_prompt %}{{ ",
                    JinjaQuoted(assistant->second.prefix), " }}{% endif %}");
  }
  return jinja;
}

absl::StatusOr<ChatTemplate> ChatTemplate::Bind(const ChatTemplateSpec& spec,
                                                const Tokenizer& tokenizer) {
  ChatTemplate bound;
  bound.tokenizer_ = &tokenizer;
  bound.spec_ = spec;
  bound.hash_ = Sha256Hex(ChatTemplateJson(spec).dump());
  bound.begin_ = tokenizer.EncodeWithAdded(spec.begin);
  auto end_of_turn = tokenizer.RequireAddedId(spec.end_of_turn);
  if (!end_of_turn.ok()) return Annotate(end_of_turn.status(), "chat template's end_of_turn");
  bound.end_of_turn_ = *end_of_turn;
  for (const auto& [role, format] : spec.roles) {
    BoundRole& target = bound.roles_[role];
    target.prefix = tokenizer.EncodeWithAdded(format.prefix);
    target.suffix = tokenizer.EncodeWithAdded(format.suffix);
  }
  const auto assistant = bound.roles_.find(kAssistant);
  if (assistant == bound.roles_.end()) {
    return absl::InvalidArgumentError("the chat template has no role \"assistant\"");
  }
  const std::vector<TokenId>& suffix = assistant->second.suffix;
  const auto end = std::find(suffix.begin(), suffix.end(), bound.end_of_turn_);
  if (end == suffix.end()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the suffix of role \"assistant\", \"", spec.roles.at(kAssistant).suffix,
        "\", lacks the end of turn \"", spec.end_of_turn, "\": a model would never learn to stop"));
  }
  assistant->second.trained_suffix_tokens = end - suffix.begin() + 1;
  return bound;
}

absl::StatusOr<const ChatTemplate::BoundRole*> ChatTemplate::FindRole(
    absl::string_view role) const {
  const auto found = roles_.find(std::string(role));
  if (found != roles_.end()) return &found->second;
  const auto append_name = [](std::string* out, const auto& entry) { out->append(entry.first); };
  return absl::InvalidArgumentError(absl::StrCat(
      "role \"", role,
      "\" is not in the chat template, which has: ", absl::StrJoin(roles_, ", ", append_name)));
}

absl::StatusOr<RenderedChat> ChatTemplate::Render(absl::Span<const ChatMessage> messages) const {
  if (messages.empty()) return absl::InvalidArgumentError("the conversation has no message");
  RenderedChat chat;
  Append(begin_, 0, &chat);
  for (const ChatMessage& message : messages) {
    TY_ASSIGN_OR_RETURN(const BoundRole* role, FindRole(message.role));
    const bool trained = message.train && message.role == kAssistant;
    Append(role->prefix, 0, &chat);
    tokenizer_->Append(message.content, AddedTokens::kAsText, nullptr, &chat.ids);
    chat.flags.resize(chat.ids.size(), trained ? kTrained : 0);
    Append(role->suffix, trained ? role->trained_suffix_tokens : 0, &chat);
  }
  return chat;
}

absl::StatusOr<RenderedChat> ChatTemplate::RenderPrompt(
    absl::Span<const ChatMessage> messages) const {
  TY_ASSIGN_OR_RETURN(RenderedChat chat, Render(messages));
  for (uint8_t& flags : chat.flags) flags &= static_cast<uint8_t>(~kTrained);
  Append(roles_.at(kAssistant).prefix, 0, &chat);
  return chat;
}

}  // namespace trainyard::tokenizer
