// A benchmark's texts as tokens of one model, by the rules of lm-evaluation-harness: its picks
// depend on where a context ends and a choice begins.

#ifndef TRAINYARD_EVAL_TASK_TOKENS_H_
#define TRAINYARD_EVAL_TASK_TOKENS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "eval/eval_job.h"
#include "eval/prompts.h"
#include "eval/rollout_client.h"
#include "eval/sampling.h"
#include "eval/task_answer.h"
#include "eval/task_items.h"
#include "tokenizer/chat_template.h"

namespace trainyard::eval {

// Owned by one thread.
class TaskTokens {
 public:
  // `text` must outlive it; `chat_template` is the job's. InvalidArgument: the task is a chat and
  // the job has no template, or one that does not fit the tokenizer; max_new_tokens leaves no room
  // for a prompt.
  static absl::StatusOr<TaskTokens> Create(
      const TaskJob& task, const std::optional<tokenizer::ChatTemplateSpec>& chat_template,
      const ModelText& text);

  // A sequence for each choice: the tokens of context and choice together, of which those beyond
  // the context's own count are scored. White space at the end of the context belongs to the
  // choice. What is too long loses its front. InvalidArgument: a choice that adds no token or is
  // longer than the model's context, an empty context without a token to stand before it.
  absl::StatusOr<std::vector<ScoredSequence>> Choices(const TaskItem& item);

  // What the model is to go on from: without its front where it would leave less than
  // max_new_tokens. InvalidArgument: it is empty.
  absl::StatusOr<std::vector<int32_t>> Prompt(const TaskItem& item);

  // Greedy, up to max_new_tokens, ended by the end tokens and the task's stop strings.
  absl::StatusOr<Sampling> HowToAnswer(const AnswerRule& rule) const;

  // Items that lost their front so far.
  int64_t items_cut() const { return items_cut_; }

 private:
  TaskTokens(const TaskJob& task, const ModelText& text) : task_(task), text_(text) {}
  absl::StatusOr<std::string> ContextOf(const TaskItem& item) const;
  std::vector<int32_t> Encode(const std::string& text) const;
  // Sets `cut` when the front is lost.
  absl::StatusOr<ScoredSequence> Pair(std::string context, std::string continuation,
                                      bool* cut) const;

  const TaskJob& task_;
  const ModelText& text_;
  std::unique_ptr<tokenizer::ChatTemplate> chat_template_;  // null: the task is no chat
  std::string first_token_;                                 // the text of text_.first_id
  int64_t items_cut_ = 0;
};

}  // namespace trainyard::eval

#endif  // TRAINYARD_EVAL_TASK_TOKENS_H_
