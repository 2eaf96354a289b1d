#include "data/row.h"

#include <simdjson.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/random.h"
#include "base/status.h"

namespace trainyard::data {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

absl::string_view TypeName(const element& value) {
  switch (value.type()) {
    case element_type::STRING:
      return "a string";
    case element_type::OBJECT:
      return "an object";
    case element_type::ARRAY:
      return "a list";
    case element_type::BOOL:
      return "a boolean";
    case element_type::NULL_VALUE:
      return "null";
    default:
      return "a number";
  }
}

absl::Status WrongType(absl::string_view field, absl::string_view wanted, const element& value) {
  return absl::InvalidArgumentError(
      absl::StrCat("field \"", field, "\" must be ", wanted, ", is ", TypeName(value)));
}

absl::StatusOr<std::string> TextOf(absl::string_view field, const element& value) {
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS) return WrongType(field, "a string", value);
  return std::string(text);
}

absl::StatusOr<double> NumberOf(absl::string_view field, const element& value) {
  double number = 0;
  if (value.get(number) != simdjson::SUCCESS) return WrongType(field, "a number", value);
  return number;
}

absl::Status ReadMessages(const element& value, Row* row) {
  simdjson::dom::array list;
  if (value.get(list) != simdjson::SUCCESS) return WrongType("messages", "a list", value);
  for (const element& entry : list) {
    const std::string place = absl::StrCat("messages[", row->messages.size(), "]");
    tokenizer::ChatMessage message;
    for (const auto& [name, target] :
         {std::pair("role", &message.role), std::pair("content", &message.content)}) {
      element field;
      if (entry[name].get(field) != simdjson::SUCCESS) {
        return absl::InvalidArgumentError(
            absl::StrCat("field \"", place, ".", name, "\" is missing"));
      }
      TY_ASSIGN_OR_RETURN(*target, TextOf(absl::StrCat(place, ".", name), field));
    }
    element train;
    if (entry["train"].get(train) == simdjson::SUCCESS &&
        train.get(message.train) != simdjson::SUCCESS) {
      return WrongType(place + ".train", "a boolean", train);
    }
    row->messages.push_back(std::move(message));
  }
  return absl::OkStatus();
}

absl::Status ReadAnswers(const element& value, Row* row) {
  simdjson::dom::array list;
  if (value.get(list) != simdjson::SUCCESS) return WrongType("answers", "a list", value);
  for (const element& entry : list) {
    const std::string place = absl::StrCat("answers[", row->answers.size(), "]");
    RankedAnswer answer;
    element text, score;
    if (entry["text"].get(text) != simdjson::SUCCESS) {
      return absl::InvalidArgumentError(absl::StrCat("field \"", place, ".text\" is missing"));
    }
    TY_ASSIGN_OR_RETURN(answer.text, TextOf(place + ".text", text));
    if (entry["score"].get(score) == simdjson::SUCCESS && !score.is_null()) {
      TY_ASSIGN_OR_RETURN(answer.score, NumberOf(place + ".score", score));
    }
    row->answers.push_back(std::move(answer));
  }
  return absl::OkStatus();
}

absl::Status ReadField(std::string_view name, const element& value, Row* row) {
  if (value.is_null()) return absl::OkStatus();
  if (name == "messages") return ReadMessages(value, row);
  if (name == "answers") return ReadAnswers(value, row);
  if (name == "score") {
    TY_ASSIGN_OR_RETURN(row->score, NumberOf("score", value));
  } else if (name == "group" && !value.is_string()) {
    TY_ASSIGN_OR_RETURN(const double number, NumberOf("group", value));
    row->group = absl::StrCat(number);
  } else if (name == "text" || name == "prompt" || name == "response" || name == "chosen" ||
             name == "rejected" || name == "group") {
    const absl::string_view field(name.data(), name.size());
    TY_ASSIGN_OR_RETURN(row->fields[std::string(name)], TextOf(field, value));
  }
  return absl::OkStatus();
}

// What the plain fields of a row mean together.
absl::Status Interpret(Row* row) {
  const auto take = [row](const char* name) -> std::optional<std::string> {
    const auto found = row->fields.find(name);
    if (found == row->fields.end()) return std::nullopt;
    return found->second;
  };
  row->text = take("text");
  row->response = take("response");
  if (row->group.empty()) row->group = take("group").value_or("");
  if (const auto prompt = take("prompt"); prompt.has_value() && row->messages.empty()) {
    row->messages.push_back({"user", *prompt, true});
  }
  const auto chosen = take("chosen"), rejected = take("rejected");
  if (chosen.has_value() != rejected.has_value()) {
    return MissingField(*row, chosen.has_value() ? "rejected" : "chosen");
  }
  if (chosen.has_value()) row->answers = {{*chosen, 1.0}, {*rejected, 0.0}};
  if (row->text.has_value() || !row->messages.empty()) return absl::OkStatus();
  return MissingField(*row, "text\", \"prompt\" or \"messages");
}

}  // namespace

absl::Status MissingField(const Row& row, absl::string_view field) {
  const auto append_name = [](std::string* out, const auto& entry) { out->append(entry.first); };
  return absl::InvalidArgumentError(absl::StrCat(
      "field \"", field, "\" is missing (fields seen: ",
      row.fields.empty() ? "none" : absl::StrJoin(row.fields, ", ", append_name), ")"));
}

absl::StatusOr<Row> ParseRow(absl::string_view line) {
  simdjson::dom::parser parser;
  element root;
  const auto error = parser.parse(line.data(), line.size()).get(root);
  if (error != simdjson::SUCCESS) {
    return absl::InvalidArgumentError(
        absl::StrCat("not a JSON row: ", simdjson::error_message(error)));
  }
  simdjson::dom::object object;
  if (root.get(object) != simdjson::SUCCESS) {
    return absl::InvalidArgumentError(absl::StrCat("a row must be an object, is ", TypeName(root)));
  }
  Row row;
  row.json = std::string(line);
  for (const auto& [name, value] : object) {
    std::string_view text;
    row.fields[std::string(name)] = value.get(text) == simdjson::SUCCESS ? text : "";
  }
  for (const auto& [name, value] : object) TY_RETURN_IF_ERROR(ReadField(name, value, &row));
  TY_RETURN_IF_ERROR(Interpret(&row));
  return row;
}

absl::StatusOr<std::string> ApplyInstruction(const Row& row,
                                             const std::vector<std::string>& templates,
                                             uint64_t key, uint64_t index) {
  const auto prompt = row.fields.find("prompt");
  if (prompt == row.fields.end()) return MissingField(row, "prompt");
  if (templates.empty()) return prompt->second;
  const absl::string_view pattern = templates[CounterRandom(key).Below(templates.size(), index)];
  std::string result;
  for (size_t at = 0; at < pattern.size();) {
    if (pattern[at] != '{') {
      result.push_back(pattern[at++]);
      continue;
    }
    if (at + 1 < pattern.size() && pattern[at + 1] == '{') {
      result.push_back('{');
      at += 2;
      continue;
    }
    const size_t end = pattern.find('}', at);
    if (end == absl::string_view::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat("instruction template \"", pattern, "\" has a { without }"));
    }
    const std::string field(pattern.substr(at + 1, end - at - 1));
    const auto found = row.fields.find(field);
    if (found == row.fields.end()) return MissingField(row, field);
    result += found->second;
    at = end + 1;
  }
  return result;
}

}  // namespace trainyard::data
