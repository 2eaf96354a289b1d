#include "data/prompt_source.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/random.h"
#include "base/status.h"

namespace trainyard::data {
namespace {

// Turns rows into prompts.
class PromptLoader {
 public:
  PromptLoader(const PromptSpec& spec, const tokenizer::Tokenizer& tokenizer,
               const tokenizer::ChatTemplate* chat_template)
      : spec_(spec), tokenizer_(tokenizer), chat_template_(chat_template) {}

  absl::Status Visit(const SourceSpec& source, const Row& row) {
    Prompt prompt;
    prompt.row = rows_++;
    prompt.json = row.json;
    if (row.messages.empty()) return MissingField(row, "prompt\" or \"messages");
    std::vector<tokenizer::ChatMessage> messages = row.messages;
    if (row.fields.contains("prompt") && !row.fields.contains("messages")) {
      const uint64_t key = DeriveKey(spec_.seed, absl::StrCat("instruction:", source.name));
      TY_ASSIGN_OR_RETURN(messages.back().content,
                          ApplyInstruction(row, source.instruction_templates, key, prompt.row));
    }
    while (messages.size() > 1 && messages.back().role == "assistant") messages.pop_back();
    prompt.text = messages.back().content;
    if (chat_template_ == nullptr) {
      prompt.token_ids = tokenizer_.Encode(prompt.text);
    } else {
      TY_ASSIGN_OR_RETURN(tokenizer::RenderedChat chat, chat_template_->RenderPrompt(messages));
      prompt.token_ids = std::move(chat.ids);
    }
    if (prompt.token_ids.empty()) return absl::InvalidArgumentError("the prompt is empty");
    const int64_t tokens = static_cast<int64_t>(prompt.token_ids.size());
    if (tokens <= spec_.max_tokens) {
      prompts_.push_back(std::move(prompt));
      return absl::OkStatus();
    }
    if (spec_.too_long == TooLong::kRefuse) {
      return absl::InvalidArgumentError(
          absl::StrCat("the prompt has ", tokens, " tokens, the limit is ", spec_.max_tokens));
    }
    ++dropped_;
    return absl::OkStatus();
  }

  std::vector<Prompt> TakePrompts() { return std::move(prompts_); }
  int64_t dropped() const { return dropped_; }

 private:
  const PromptSpec& spec_;
  const tokenizer::Tokenizer& tokenizer_;
  const tokenizer::ChatTemplate* const chat_template_;
  std::vector<Prompt> prompts_;
  int64_t rows_ = 0;
  int64_t dropped_ = 0;
};

std::string FingerprintOf(const PromptSpec& spec, const std::vector<Prompt>& prompts,
                          const std::string& tokenizer_hash) {
  std::string all = absl::StrCat("prompts 1;", spec.seed, ";", spec.shuffle, ";", tokenizer_hash);
  for (const Prompt& prompt : prompts) {
    absl::StrAppend(&all, ";", prompt.row, ":",
                    Xxh3Hex(prompt.token_ids.data(), prompt.token_ids.size() * sizeof(int32_t)),
                    Xxh3Hex(prompt.json));
  }
  return Xxh3Hex(all);
}

}  // namespace

absl::StatusOr<std::unique_ptr<PromptSource>> PromptSource::Load(
    const PromptSpec& spec, const tokenizer::Tokenizer& tokenizer,
    const tokenizer::ChatTemplate* chat_template) {
  std::unique_ptr<PromptSource> source(new PromptSource());
  source->spec_ = spec;
  PromptLoader loader(spec, tokenizer, chat_template);
  for (const SourceSpec& rows : spec.sources) {
    TY_ASSIGN_OR_RETURN(const SourceCounts counts,
                        ReadRows(rows, [&](const Row& row) { return loader.Visit(rows, row); }));
    source->bad_rows_ += counts.bad_rows;
  }
  source->prompts_ = loader.TakePrompts();
  source->dropped_too_long_ = loader.dropped();
  if (source->prompts_.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("no prompt is left: ", source->bad_rows_,
                                                   " bad rows, ", loader.dropped(),
                                                   " prompts over ", spec.max_tokens, " tokens"));
  }
  source->fingerprint_ = FingerprintOf(spec, source->prompts_, tokenizer.hash());
  return source;
}

const Prompt& PromptSource::At(int64_t position) const {
  const int64_t pass = position / count(), index = position % count();
  if (!spec_.shuffle) return prompts_[index];
  absl::MutexLock lock(&mutex_);
  if (pass != pass_) {
    permutation_ = Permutation(DeriveKey(spec_.seed, "prompts", pass), count());
    pass_ = pass;
  }
  return prompts_[permutation_[index]];
}

const Prompt* PromptSource::FindRow(int64_t row) const {
  const auto found =
      std::lower_bound(prompts_.begin(), prompts_.end(), row,
                       [](const Prompt& prompt, int64_t wanted) { return prompt.row < wanted; });
  return found == prompts_.end() || found->row != row ? nullptr : &*found;
}

}  // namespace trainyard::data
