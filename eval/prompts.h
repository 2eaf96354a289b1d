// The prompts of a job, ready to be sent.

#ifndef TRAINYARD_EVAL_PROMPTS_H_
#define TRAINYARD_EVAL_PROMPTS_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "data/prompt_source.h"
#include "eval/eval_job.h"
#include "eval/sampling.h"
#include "tokenizer/chat_template.h"
#include "tokenizer/tokenizer.h"

namespace trainyard::eval {

// A tokenizer and what stands beside it in a model's directory.
struct ModelText {
  std::shared_ptr<const tokenizer::Tokenizer> tokenizer;
  std::string tokenizer_sha256;   // of tokenizer.json: what models are bound to
  std::optional<int32_t> end_id;  // tokenizer_config.json's eos_token
  // What stands before a text that nothing stands before: bos_token, else eos_token.
  std::optional<int32_t> first_id;
  int32_t context_tokens = 0;  // config.json's longest sequence
};

// NotFound names the missing file.
absl::StatusOr<ModelText> LoadModelText(const std::string& tokenizer_directory,
                                        const std::string& model_directory);

// Immutable; holds what its pointers point to.
struct PreparedPrompts {
  std::unique_ptr<tokenizer::ChatTemplate> chat_template;  // null: prompts are plain text
  std::unique_ptr<data::PromptSource> source;
  std::vector<const data::Prompt*> prompts;  // in the order of the output
  Sampling sampling;
};

// InvalidArgument: a prompt that leaves no room for an answer, a token that the tokenizer lacks;
// errors of PromptSource::Load.
absl::StatusOr<PreparedPrompts> PreparePrompts(const PromptJob& job, const ModelText& text);

}  // namespace trainyard::eval

#endif  // TRAINYARD_EVAL_PROMPTS_H_
