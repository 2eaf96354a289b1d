#include "eval/task_items.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/line_reader.h"
#include "base/random.h"
#include "base/status.h"
#include "tokenizer/chat_layout.h"

namespace trainyard::eval {
namespace {

struct TaskRow {
  Json json;
  std::string place;
};

// The value at "field", "field.inner" or "field[0]"; null when there is none.
const Json* Find(const Json& row, absl::string_view path) {
  if (const auto whole = row.find(std::string(path)); whole != row.end()) return &*whole;
  const Json* at = &row;
  while (!path.empty()) {
    if (absl::ConsumePrefix(&path, "[")) {
      const size_t end = path.find(']');
      uint64_t index = 0;
      if (end == absl::string_view::npos || !absl::SimpleAtoi(path.substr(0, end), &index) ||
          !at->is_array() || index >= at->size()) {
        return nullptr;
      }
      at = &(*at)[index];
      path.remove_prefix(end + 1);
    } else {
      const size_t end = std::min(path.find_first_of(".["), path.size());
      if (!at->is_object()) return nullptr;
      const auto found = at->find(std::string(path.substr(0, end)));
      if (found == at->end()) return nullptr;
      at = &*found;
      path.remove_prefix(end);
    }
    absl::ConsumePrefix(&path, ".");
  }
  return at;
}

absl::Status MissingField(const Json& row, absl::string_view field) {
  std::vector<std::string> seen;
  for (const auto& [name, value] : row.items()) seen.push_back(name);
  return absl::InvalidArgumentError(absl::StrCat(
      "field \"", field, "\" is missing (fields seen: ", absl::StrJoin(seen, ", "), ")"));
}

absl::StatusOr<std::string> TextOf(const Json& value, absl::string_view field) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return std::string(value.get<bool>() ? "True" : "False");
  if (value.is_number()) return value.dump();
  return absl::InvalidArgumentError(
      absl::StrCat("field \"", field, "\" must be a text or a number, is ", value.type_name()));
}

absl::StatusOr<std::vector<TaskRow>> ReadTaskRows(const std::vector<data::SourceSpec>& sources) {
  std::vector<TaskRow> rows;
  for (const data::SourceSpec& source : sources) {
    if (source.format != data::SourceFormat::kJsonl) {
      return absl::InvalidArgumentError(
          absl::StrCat(source.name, " is not JSONL: rows of a task are lines of JSON"));
    }
    for (const std::string& path : source.paths) {
      TY_ASSIGN_OR_RETURN(const auto lines, LineReader::Open(path));
      absl::string_view line;
      while (true) {
        TY_ASSIGN_OR_RETURN(const bool more, lines->Next(&line));
        if (!more) break;
        if (absl::StripAsciiWhitespace(line).empty()) continue;
        TY_ASSIGN_OR_RETURN(Json row, ParseJson(line, lines->place()));
        if (!row.is_object()) {
          return absl::InvalidArgumentError(absl::StrCat(lines->place(), ": is no object"));
        }
        const Json group = row.value("group", Json(""));
        const bool wanted =
            source.groups.empty() ||
            (group.is_string() && absl::c_linear_search(source.groups, group.get<std::string>()));
        if (wanted) rows.push_back({std::move(row), lines->place()});
      }
    }
  }
  return rows;
}

// What the answer is: the target's text, and for multiple choice which choice it is.
struct Answered {
  std::vector<std::string> choices;
  size_t right = 0;
  std::string text;
};

absl::StatusOr<std::vector<std::string>> ChoicesOf(const Json& row, const std::string& field) {
  const Json* const list = Find(row, field);
  if (list == nullptr) return MissingField(row, field);
  if (!list->is_array() || list->size() < 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("field \"", field, "\" must be a list of two choices or more"));
  }
  std::vector<std::string> choices;
  for (const Json& choice : *list) {
    TY_ASSIGN_OR_RETURN(choices.emplace_back(), TextOf(choice, field));
    if (choices.back().empty()) {
      return absl::InvalidArgumentError(absl::StrCat("field \"", field, "\" has an empty choice"));
    }
  }
  return choices;
}

absl::StatusOr<Answered> AnswerOf(const TaskJob& task, const Json& row) {
  Answered answered;
  TY_ASSIGN_OR_RETURN(answered.text, FillFields(task.target, row));
  if (answered.text.empty()) return absl::InvalidArgumentError("the target is empty");
  if (task.kind == TaskKind::kExactMatch) return answered;
  TY_ASSIGN_OR_RETURN(answered.choices, ChoicesOf(row, task.choices));
  const bool is_number = absl::c_all_of(answered.text, absl::ascii_isdigit);
  const auto found = absl::c_find(answered.choices, answered.text);
  uint64_t number = found - answered.choices.begin();
  if (is_number && !absl::SimpleAtoi(answered.text, &number)) {
    number = std::numeric_limits<uint64_t>::max();
  }
  if (number >= answered.choices.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the target \"", answered.text, "\" is neither one of the ",
                     answered.choices.size(), " choices nor the number of one, from 0"));
  }
  answered.right = number;
  answered.text = answered.choices[number];
  return answered;
}

// With a space between the two unless white space stands there.
std::string Join(const std::string& first, const std::string& second) {
  const bool apart = tokenizer::StripWhitespace("x" + first).size() == first.size() + 1 &&
                     tokenizer::StripWhitespace(second + "x").size() == second.size() + 1;
  return apart && !first.empty() && !second.empty() ? absl::StrCat(first, " ", second)
                                                    : first + second;
}

// Writes out the items of one task.
class Writer {
 public:
  explicit Writer(const TaskJob& task) : task_(task) {}

  absl::StatusOr<std::vector<TaskItem>> Write() {
    TY_ASSIGN_OR_RETURN(items_, ReadTaskRows(task_.items));
    TY_ASSIGN_OR_RETURN(given_, ReadTaskRows(task_.examples));
    if (items_.empty()) return absl::InvalidArgumentError("there is no item");
    const int64_t count = static_cast<int64_t>(items_.size());
    std::vector<TaskItem> written;
    for (int64_t row = 0; row < (task_.limit > 0 ? std::min(task_.limit, count) : count); ++row) {
      auto item = WriteItem(row);
      if (!item.ok()) return Annotate(item.status(), items_[row].place);
      written.push_back(*std::move(item));
    }
    return written;
  }

 private:
  absl::StatusOr<TaskItem> WriteItem(int64_t row) {
    const Json& json = items_[row].json;
    TaskItem item;
    item.row = row;
    item.place = items_[row].place;
    item.json = json.dump();
    TY_ASSIGN_OR_RETURN(const std::string description, FillFields(task_.description, json));
    TY_ASSIGN_OR_RETURN(std::string examples, Examples(row));
    TY_ASSIGN_OR_RETURN(const std::string prompt, FillFields(task_.prompt, json));
    if (task_.chat) item.system = description;
    item.context = absl::StrCat(task_.chat ? "" : description, examples, prompt);
    TY_ASSIGN_OR_RETURN(Answered answered, AnswerOf(task_, json));
    item.choices = std::move(answered.choices);
    item.right = answered.right;
    item.target = std::move(answered.text);
    return item;
  }

  // The worked examples before an item. From the other items those are left out that are the same
  // row: the item itself, and its copies.
  absl::StatusOr<std::string> Examples(int64_t row) {
    if (task_.shots == 0) return std::string();
    const bool others = task_.examples.empty();
    const std::vector<TaskRow>& pool = others ? items_ : given_;
    std::vector<uint64_t> order;
    if (task_.shots_seed.has_value()) {
      order = Permutation(DeriveKey(*task_.shots_seed, task_.name, row), pool.size());
    }
    std::string text;
    int shots = 0;
    for (size_t i = 0; i < pool.size() && shots < task_.shots; ++i) {
      const TaskRow& example = pool[order.empty() ? i : order[i]];
      if (others && example.json == items_[row].json) continue;
      auto written = Example(example.json);
      if (!written.ok()) return Annotate(written.status(), "worked example " + example.place);
      text += *written;
      ++shots;
    }
    if (shots == task_.shots) return text;
    return absl::InvalidArgumentError(absl::StrCat("shots is ", task_.shots, ", but there are ",
                                                   shots, others ? " other items" : " examples"));
  }

  absl::StatusOr<std::string> Example(const Json& row) const {
    TY_ASSIGN_OR_RETURN(const std::string prompt, FillFields(task_.prompt, row));
    TY_ASSIGN_OR_RETURN(const std::string reasoning, FillFields(task_.reasoning, row));
    TY_ASSIGN_OR_RETURN(const Answered answered, AnswerOf(task_, row));
    return absl::StrCat(prompt, task_.target_delimiter, Join(reasoning, answered.text),
                        task_.example_delimiter);
  }

  const TaskJob& task_;
  std::vector<TaskRow> items_, given_;
};

}  // namespace

absl::StatusOr<std::string> FillFields(absl::string_view pattern, const Json& row) {
  std::string text;
  while (!pattern.empty()) {
    const size_t brace = std::min(pattern.find('{'), pattern.size());
    absl::StrAppend(&text, pattern.substr(0, brace));
    pattern.remove_prefix(brace);
    if (pattern.empty()) break;
    if (absl::ConsumePrefix(&pattern, "{{")) {
      text += '{';
      continue;
    }
    const size_t end = pattern.find('}');
    if (end == absl::string_view::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", pattern, "\" has a { without }; {{ is a brace"));
    }
    const absl::string_view field = pattern.substr(1, end - 1);
    const Json* const value = Find(row, field);
    if (value == nullptr) return MissingField(row, field);
    TY_ASSIGN_OR_RETURN(const std::string filled, TextOf(*value, field));
    text += filled;
    pattern.remove_prefix(end + 1);
  }
  return text;
}

absl::StatusOr<std::vector<TaskItem>> LoadTaskItems(const TaskJob& task) {
  auto items = Writer(task).Write();
  if (items.ok()) return items;
  return Annotate(items.status(), absl::StrCat("task \"", task.name, "\""));
}

}  // namespace trainyard::eval
