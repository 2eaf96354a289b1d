// The answer in a generated text, and whether it is the right one, by the rules of
// lm-evaluation-harness.

#ifndef TRAINYARD_EVAL_TASK_ANSWER_H_
#define TRAINYARD_EVAL_TASK_ANSWER_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "eval/eval_job.h"

namespace trainyard::eval {

// Immutable, thread-safe.
class AnswerRule {
 public:
  // InvalidArgument shows the answer_pattern and where it is wrong.
  static absl::StatusOr<AnswerRule> Create(const TaskJob& task);
  ~AnswerRule();
  AnswerRule(AnswerRule&&) noexcept;

  // Strings that end an answer: the task's, or its example_delimiter where it names none.
  const std::vector<std::string>& stop() const { return stop_; }

  // What counts of a text: all before the first stop string; of that the pattern's first group in
  // its first match (all of the match when it has no group; of several groups the first that is not
  // empty), else all of it; without white space at both ends. Nothing: the pattern is not there.
  // ResourceExhausted: a match needs too many steps.
  absl::StatusOr<std::optional<std::string>> Extract(absl::string_view text) const;

  // Whether an extracted answer is the target, but for white space at its ends, and for case and
  // ASCII punctuation where the task ignores them.
  bool IsRight(absl::string_view answer, absl::string_view target) const;

 private:
  struct Pattern;
  AnswerRule();
  std::string Normal(absl::string_view text) const;

  std::vector<std::string> stop_;
  std::unique_ptr<Pattern> pattern_;  // null: none
  bool ignore_case_ = false;
  bool ignore_punctuation_ = false;
};

}  // namespace trainyard::eval

#endif  // TRAINYARD_EVAL_TASK_ANSWER_H_
