// Answers of a model to the rows of a prompt file, as values and as the JSON rows that a generate
// job writes.

#ifndef TRAINYARD_EVAL_ANSWER_H_
#define TRAINYARD_EVAL_ANSWER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/json.h"
#include "data/prompt_source.h"

namespace trainyard::eval {

// Why an answer ended. The names are those of the JSON rows.
enum class Finish { kEnd, kStop, kLength };

struct Answer {
  std::string text;                // valid UTF-8, without special tokens
  std::vector<int32_t> token_ids;  // of the answer alone, its end token included
  // Sum over its tokens, at the sampling temperature and masks.
  double logprob = 0;
  Finish finish = Finish::kLength;
  std::optional<double> score;  // combined reward; nothing when none was asked or it failed
  std::string score_error;      // why there is none
};

// The answers to one prompt, by sample.
struct AnsweredRow {
  int64_t row = 0;  // data::Prompt::row
  std::vector<Answer> answers;
};

// {"row", "prompt" or "messages", "group"?, "reference"?, "answers": [{"text", "token_ids",
// "logprob", "finish_reason", "score"?, "score_error"?}]}: what data::ParseRow reads as a ranking
// once the scores are filled in.
Json ToJson(const AnsweredRow& answered, const data::Prompt& prompt);

// The reverse, but for the prompt. InvalidArgument names `document` and the field.
absl::StatusOr<AnsweredRow> AnsweredRowFromJson(const Json& json, absl::string_view document);

// The answer that the data set holds for a prompt: its "answer", else its "response"; empty: none.
std::string ReferenceOf(const data::Prompt& prompt);

}  // namespace trainyard::eval

#endif  // TRAINYARD_EVAL_ANSWER_H_
