#include "eval/task_tokens.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tokenizer/chat_layout.h"

namespace trainyard::eval {

absl::StatusOr<TaskTokens> TaskTokens::Create(
    const TaskJob& task, const std::optional<tokenizer::ChatTemplateSpec>& chat_template,
    const ModelText& text) {
  TaskTokens tokens(task, text);
  if (text.first_id.has_value()) {
    tokens.first_token_ =
        text.tokenizer->Decode({&*text.first_id, 1}, tokenizer::SpecialTokens::kKeep);
  }
  if (task.kind == TaskKind::kExactMatch && task.max_new_tokens >= text.context_tokens) {
    return absl::InvalidArgumentError(absl::StrCat(
        "task \"", task.name, "\": max_new_tokens is ", task.max_new_tokens,
        ", the model's context ", text.context_tokens, " tokens: no room is left for a prompt"));
  }
  if (!task.chat) return tokens;
  if (!chat_template.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("task \"", task.name, "\" is a chat: it needs eval.chat_template"));
  }
  TY_ASSIGN_OR_RETURN(tokenizer::ChatTemplate bound,
                      tokenizer::ChatTemplate::Bind(*chat_template, *text.tokenizer));
  tokens.chat_template_ = std::make_unique<tokenizer::ChatTemplate>(std::move(bound));
  return tokens;
}

absl::StatusOr<std::string> TaskTokens::ContextOf(const TaskItem& item) const {
  if (chat_template_ == nullptr) return item.context;
  std::vector<tokenizer::ChatMessage> messages;
  if (!item.system.empty()) messages.push_back({tokenizer::kSystemRole, item.system});
  messages.push_back({tokenizer::kUserRole, item.context});
  TY_ASSIGN_OR_RETURN(
      const std::vector<tokenizer::ChatPiece> pieces,
      tokenizer::LayOutChat(chat_template_->spec(), messages, tokenizer::ChatEnd::kAskAnswer));
  std::string text;
  for (const tokenizer::ChatPiece& piece : pieces) text += piece.text;
  return text;
}

// A text that says its first token itself (a rendered chat) does not get another.
std::vector<int32_t> TaskTokens::Encode(const std::string& text) const {
  const bool says_it = !first_token_.empty() && absl::StartsWith(text, first_token_);
  return says_it ? text_.tokenizer->EncodeWithAdded(text)
                 : text_.tokenizer->EncodeWithTemplate(text);
}

absl::StatusOr<ScoredSequence> TaskTokens::Pair(std::string context, std::string continuation,
                                                bool* cut) const {
  ScoredSequence sequence;
  size_t begin = 1;
  if (context.empty()) {
    if (!text_.first_id.has_value()) {
      return absl::InvalidArgumentError(
          "nothing stands before the choices, and the tokenizer has neither bos_token nor "
          "eos_token");
    }
    sequence.token_ids = text_.tokenizer->EncodeWithAdded(continuation);
    if (sequence.token_ids.empty() || sequence.token_ids[0] != *text_.first_id) {
      sequence.token_ids.insert(sequence.token_ids.begin(), *text_.first_id);
    }
  } else {
    const size_t kept = tokenizer::StripWhitespace("x" + context).size() - 1;
    continuation = context.substr(kept) + continuation;
    context.resize(kept);
    sequence.token_ids = Encode(context + continuation);
    begin = Encode(context).size();
  }
  if (begin == 0) {
    return absl::InvalidArgumentError("what stands before the choices is white space alone");
  }
  if (begin >= sequence.token_ids.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the choice \"", continuation, "\" adds no token to its context"));
  }
  const size_t scored = sequence.token_ids.size() - begin;
  const size_t most = text_.context_tokens;
  if (scored > most) {
    return absl::InvalidArgumentError(absl::StrCat("the choice \"", continuation, "\" has ", scored,
                                                   " tokens, the model's context ", most));
  }
  // The last token is not read: there is room for one more.
  const size_t size = sequence.token_ids.size();
  if (size > most + 1) {
    *cut = true;
    sequence.token_ids.erase(sequence.token_ids.begin(),
                             sequence.token_ids.begin() + (size - most - 1));
  }
  sequence.begin = static_cast<int32_t>(sequence.token_ids.size() - scored);
  return sequence;
}

absl::StatusOr<std::vector<ScoredSequence>> TaskTokens::Choices(const TaskItem& item) {
  TY_ASSIGN_OR_RETURN(const std::string context, ContextOf(item));
  const std::string delimiter = task_.chat ? "" : task_.target_delimiter;
  std::vector<ScoredSequence> sequences;
  bool cut = false;
  for (const std::string& choice : item.choices) {
    auto sequence = Pair(context, delimiter + choice, &cut);
    if (!sequence.ok()) return Annotate(sequence.status(), item.place);
    sequences.push_back(*std::move(sequence));
  }
  items_cut_ += cut;
  return sequences;
}

absl::StatusOr<std::vector<int32_t>> TaskTokens::Prompt(const TaskItem& item) {
  TY_ASSIGN_OR_RETURN(const std::string context, ContextOf(item));
  std::vector<int32_t> ids = Encode(context);
  if (ids.empty()) return absl::InvalidArgumentError(item.place + ": the prompt is empty");
  const size_t most = text_.context_tokens - task_.max_new_tokens;
  if (ids.size() > most) {
    ids.erase(ids.begin(), ids.begin() + (ids.size() - most));
    ++items_cut_;
  }
  return ids;
}

absl::StatusOr<Sampling> TaskTokens::HowToAnswer(const AnswerRule& rule) const {
  SamplingText greedy;
  greedy.temperature = 0;
  greedy.max_new_tokens = task_.max_new_tokens;
  greedy.stop_strings = rule.stop();
  std::optional<int32_t> end_of_turn = text_.end_id;
  if (chat_template_ != nullptr) end_of_turn = chat_template_->end_of_turn();
  TY_ASSIGN_OR_RETURN(Sampling sampling, BindSampling(greedy, end_of_turn, *text_.tokenizer));
  if (text_.end_id.has_value() && text_.end_id != end_of_turn) {
    sampling.end_ids.push_back(*text_.end_id);
  }
  return sampling;
}

}  // namespace trainyard::eval
