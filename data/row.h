// One row of a data file.

#ifndef TRAINYARD_DATA_ROW_H_
#define TRAINYARD_DATA_ROW_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tokenizer/chat_template.h"

namespace trainyard::data {

struct RankedAnswer {
  std::string text;
  std::optional<double> score;
};

// One row in words. Which fields are set says what it can be used for.
struct Row {
  std::optional<std::string> text;               // {"text"}
  std::vector<tokenizer::ChatMessage> messages;  // {"messages"}, or {"prompt"} as a user's message
  std::optional<std::string> response;           // {"prompt", "response"}
  std::vector<RankedAnswer> answers;             // {"prompt", "answers"}, or chosen and rejected
  std::optional<double> score;                   // {"prompt", "response", "score"}
  std::string group;                             // {..., "group"}; absent: ""
  std::map<std::string, std::string> fields;     // every field's text; "" where it is not text
  std::string json;                              // the row itself, without its line end
};

// Reads one JSON line. InvalidArgument says which field is missing or ill-typed and which were
// seen: `field "response" is missing (fields seen: prompt, answer)`.
absl::StatusOr<Row> ParseRow(absl::string_view line);

// InvalidArgument: `field "response" is missing (fields seen: answer, prompt)`.
absl::Status MissingField(const Row& row, absl::string_view field);

// The prompt of `row` by one of `templates`, drawn by (key, index): "{prompt}" and any other text
// field in braces are replaced, "{{" is a brace. Without templates the prompt as it is.
// InvalidArgument names a field that the row lacks.
absl::StatusOr<std::string> ApplyInstruction(const Row& row,
                                             const std::vector<std::string>& templates,
                                             uint64_t key, uint64_t index);

}  // namespace trainyard::data

#endif  // TRAINYARD_DATA_ROW_H_
