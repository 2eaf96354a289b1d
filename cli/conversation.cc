#include "cli/conversation.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/json.h"
#include "base/status.h"
#include "tokenizer/chat_files.h"
#include "tokenizer/tokenizer_file.h"

namespace trainyard::cli {
namespace {

absl::StatusOr<tokenizer::ChatTemplateSpec> TemplateOf(const std::string& directory,
                                                       const std::string& name,
                                                       const tokenizer::ChatTokens& tokens) {
  if (!name.empty() && name != "auto" && name != "none") {
    return tokenizer::NamedChatTemplate(name, tokens);
  }
  std::optional<tokenizer::ChatTemplateSpec> own;
  if (name != "none") {
    TY_ASSIGN_OR_RETURN(own, tokenizer::OwnChatTemplate(directory));
  }
  if (own.has_value()) return *std::move(own);
  return absl::InvalidArgumentError(
      absl::StrCat(name == "none" ? "a chat needs a template" : "the model has no chat template",
                   "; name one: --chat-template with ", tokenizer::ChatTemplateNames()));
}

absl::StatusOr<int64_t> ContextTokens(const std::string& directory) {
  const std::string path = directory + "/config.json";
  TY_ASSIGN_OR_RETURN(const Json config, ReadJsonFile(path));
  const JsonReader reader(config, path);
  return reader.Has("max_position_embeddings") ? reader.Int("max_position_embeddings")
                                               : reader.Int("n_positions");
}

// The id of a token given by its text.
absl::StatusOr<int32_t> TokenOf(const tokenizer::Tokenizer& tokenizer, const std::string& text) {
  if (const auto added = tokenizer.AddedId(text); added.has_value()) return *added;
  const std::vector<int32_t> ids = tokenizer.Encode(text);
  if (ids.size() == 1) return ids[0];
  return absl::InvalidArgumentError(
      absl::StrCat("\"", text, "\" is ", ids.size(), " tokens to this model, must be one"));
}

}  // namespace

absl::StatusOr<Conversation> Conversation::Open(const std::string& directory,
                                                const std::string& template_name) {
  Conversation conversation;
  TY_ASSIGN_OR_RETURN(tokenizer::TokenizerInDirectory found, tokenizer::LoadTokenizerOf(directory));
  conversation.tokenizer_ = std::move(found.tokenizer);
  TY_ASSIGN_OR_RETURN(conversation.tokenizer_sha256_, FileSha256Hex(found.path));
  TY_ASSIGN_OR_RETURN(const tokenizer::ChatTokens tokens, tokenizer::ReadChatTokens(directory));
  TY_ASSIGN_OR_RETURN(const tokenizer::ChatTemplateSpec spec,
                      TemplateOf(directory, template_name, tokens));
  TY_ASSIGN_OR_RETURN(tokenizer::ChatTemplate bound,
                      tokenizer::ChatTemplate::Bind(spec, *conversation.tokenizer_));
  conversation.end_ids_.push_back(bound.end_of_turn());
  conversation.template_ = std::make_unique<tokenizer::ChatTemplate>(std::move(bound));
  const auto end = conversation.tokenizer_->AddedId(tokens.end);
  if (end.has_value() && *end != conversation.end_ids_[0]) conversation.end_ids_.push_back(*end);
  TY_ASSIGN_OR_RETURN(conversation.context_tokens_, ContextTokens(directory));
  return conversation;
}

absl::StatusOr<v1::GenerateRequest> Conversation::Ask(const std::string& text,
                                                      const v1::SamplingSpec& sampling) const {
  std::vector<tokenizer::ChatMessage> messages = messages_;
  if (!system_.empty()) messages.insert(messages.begin(), {tokenizer::kSystemRole, system_});
  messages.push_back({tokenizer::kUserRole, text});
  TY_ASSIGN_OR_RETURN(const tokenizer::RenderedChat rendered, template_->RenderPrompt(messages));
  const int64_t prompt = static_cast<int64_t>(rendered.ids.size());
  const int64_t wanted = std::max(1, sampling.max_new_tokens());
  if (prompt + wanted > context_tokens_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the conversation has ", prompt, " tokens; with ", wanted,
                     " for the answer that is more than the model's context of ", context_tokens_,
                     ": begin anew (/reset), ask for less, or give a smaller --max-new-tokens"));
  }
  v1::GenerateRequest request;
  TY_ASSIGN_OR_RETURN(*request.mutable_sampling(), Parameters(sampling));
  if (sampling.max_new_tokens() == 0) {
    request.mutable_sampling()->set_max_new_tokens(static_cast<int32_t>(context_tokens_ - prompt));
  }
  v1::GeneratePrompt* const added = request.add_prompts();
  added->set_row(static_cast<int64_t>(messages_.size()));  // another draw in each turn
  added->mutable_token_ids()->Add(rendered.ids.begin(), rendered.ids.end());
  added->set_n(1);
  request.set_seed(sampling.seed());
  request.set_policy_version(-1);
  request.set_tokenizer_hash(tokenizer_sha256_);
  request.set_stream(true);
  return request;
}

void Conversation::Keep(const std::string& text, const std::string& answer) {
  messages_.push_back({tokenizer::kUserRole, text});
  messages_.push_back({tokenizer::kAssistantRole, answer});
}

std::string Conversation::AnswerOf(const v1::GenerateRequest& request,
                                   const v1::Trajectory& trajectory) const {
  const int prompt = request.prompts(0).token_ids_size();
  if (trajectory.token_ids_size() <= prompt) return "";
  return tokenizer_->Decode({trajectory.token_ids().data() + prompt,
                             static_cast<size_t>(trajectory.token_ids_size() - prompt)},
                            tokenizer::SpecialTokens::kSkip);
}

absl::StatusOr<v1::SamplingParameters> Conversation::Parameters(
    const v1::SamplingSpec& sampling) const {
  if (sampling.n() > 1 || sampling.best_of() > 1 || sampling.has_beam()) {
    return absl::InvalidArgumentError(
        "a chat has one answer to each message, as it is drawn; leave out --n, --best-of and "
        "--beams");
  }
  v1::SamplingParameters wire;
  wire.set_temperature(sampling.has_temperature() ? sampling.temperature() : 1);
  wire.set_top_k(sampling.top_k());
  wire.set_top_p(sampling.top_p());
  wire.set_min_p(sampling.min_p());
  wire.set_typical_p(sampling.typical_p());
  wire.set_repetition_penalty(sampling.repetition_penalty());
  wire.set_presence_penalty(sampling.presence_penalty());
  wire.set_frequency_penalty(sampling.frequency_penalty());
  wire.set_max_new_tokens(sampling.max_new_tokens());
  wire.set_min_new_tokens(sampling.min_new_tokens());
  wire.set_ignore_eos(sampling.ignore_eos());
  *wire.mutable_stop_strings() = sampling.stop();
  wire.mutable_end_ids()->Add(end_ids_.begin(), end_ids_.end());
  for (const std::string& token : sampling.stop_tokens()) {
    TY_ASSIGN_OR_RETURN(const int32_t id, TokenOf(*tokenizer_, token));
    wire.add_end_ids(id);
  }
  for (const std::string& token : sampling.forbidden_tokens()) {
    TY_ASSIGN_OR_RETURN(const int32_t id, TokenOf(*tokenizer_, token));
    wire.add_forbidden_ids(id);
  }
  for (const std::string& token : sampling.allowed_tokens()) {
    TY_ASSIGN_OR_RETURN(const int32_t id, TokenOf(*tokenizer_, token));
    wire.add_allowed_ids(id);
  }
  for (const v1::LogitBias& token : sampling.logit_bias()) {
    v1::TokenBias* const added = wire.add_logit_bias();
    TY_ASSIGN_OR_RETURN(const int32_t id, TokenOf(*tokenizer_, token.token()));
    added->set_token_id(id);
    added->set_bias(token.bias());
  }
  return wire;
}

}  // namespace trainyard::cli
