// The items of a benchmark as a model is to read them: prompts written out, worked examples before
// them, right answers beside them. No tokens yet.

#ifndef TRAINYARD_EVAL_TASK_ITEMS_H_
#define TRAINYARD_EVAL_TASK_ITEMS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/json.h"
#include "eval/eval_job.h"

namespace trainyard::eval {

struct TaskItem {
  int64_t row = 0;      // its number among the items, from 0
  std::string place;    // "path:line", for errors
  std::string json;     // the row itself
  std::string system;   // under a chat template: the description; else it stands in `context`
  std::string context;  // all that stands before the answer
  std::vector<std::string> choices;  // multiple choice: at least 2
  size_t right = 0;                  // which of them
  std::string target;                // exact match: the right answer
};

// Reads the task's rows and writes them out as lm-evaluation-harness does: description, then each
// worked example (prompt, target_delimiter, answer, example_delimiter), then the prompt.
// InvalidArgument names task, file, line and field: a field that the row lacks or that is no text
// or number, a target that is none of the choices, an empty choice or answer, fewer rows than shots
// ask for, no item.
absl::StatusOr<std::vector<TaskItem>> LoadTaskItems(const TaskJob& task);

// `pattern` with each "{field}" replaced by the row's; "{a.b}" and "{a[0]}" reach into objects and
// lists, "{{" is a brace. Numbers as in JSON, booleans True and False.
absl::StatusOr<std::string> FillFields(absl::string_view pattern, const Json& row);

}  // namespace trainyard::eval

#endif  // TRAINYARD_EVAL_TASK_ITEMS_H_
