#include "eval/answer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace trainyard::eval {
namespace {

const char* FinishName(Finish finish) {
  switch (finish) {
    case Finish::kEnd:
      return "end";
    case Finish::kStop:
      return "stop";
    case Finish::kLength:
      return "length";
  }
  return "";
}

absl::StatusOr<Finish> FinishFromName(absl::string_view name, absl::string_view document) {
  for (const Finish finish : {Finish::kEnd, Finish::kStop, Finish::kLength}) {
    if (name == FinishName(finish)) return finish;
  }
  return absl::InvalidArgumentError(
      absl::StrCat(document, ": finish_reason \"", name, "\" must be end, stop or length"));
}

Json AnswerJson(const Answer& answer) {
  Json json = {{"text", answer.text},
               {"token_ids", answer.token_ids},
               {"logprob", answer.logprob},
               {"finish_reason", FinishName(answer.finish)}};
  if (answer.score.has_value()) json["score"] = *answer.score;
  if (!answer.score_error.empty()) json["score_error"] = answer.score_error;
  return json;
}

absl::StatusOr<Answer> AnswerFromJson(const Json& json, absl::string_view document) {
  JsonReader reader(json, document);
  Answer answer;
  TY_ASSIGN_OR_RETURN(answer.text, reader.String("text"));
  TY_ASSIGN_OR_RETURN(answer.logprob, reader.Double("logprob"));
  TY_ASSIGN_OR_RETURN(const std::string finish, reader.String("finish_reason"));
  TY_ASSIGN_OR_RETURN(answer.finish, FinishFromName(finish, document));
  TY_ASSIGN_OR_RETURN(answer.score_error, reader.String("score_error", ""));
  if (reader.Has("score")) {
    TY_ASSIGN_OR_RETURN(answer.score, reader.Double("score"));
  }
  TY_ASSIGN_OR_RETURN(const Json* ids, reader.Array("token_ids"));
  for (const Json& id : *ids) {
    if (!id.is_number_integer()) {
      return absl::InvalidArgumentError(absl::StrCat(document, ": token_ids must be numbers"));
    }
    answer.token_ids.push_back(id.get<int32_t>());
  }
  return answer;
}

// The row that a prompt was read from; it parsed once already.
Json OriginalRow(const data::Prompt& prompt) {
  return Json::parse(prompt.json, nullptr, /*allow_exceptions=*/false);
}

}  // namespace

std::string ReferenceOf(const data::Prompt& prompt) {
  const Json row = OriginalRow(prompt);
  for (const char* field : {"answer", "response"}) {
    if (row.is_object() && row.contains(field) && row[field].is_string()) return row[field];
  }
  return "";
}

Json ToJson(const AnsweredRow& answered, const data::Prompt& prompt) {
  const Json original = OriginalRow(prompt);
  Json json = {{"row", answered.row}};
  if (original.is_object() && original.contains("messages")) {
    Json messages = original["messages"];
    while (messages.size() > 1 && messages.back().value("role", "") == "assistant") {
      messages.erase(messages.size() - 1);
    }
    json["messages"] = std::move(messages);
  } else {
    json["prompt"] = prompt.text;
  }
  if (original.is_object() && original.contains("group")) json["group"] = original["group"];
  if (std::string reference = ReferenceOf(prompt); !reference.empty()) {
    json["reference"] = std::move(reference);
  }
  json["answers"] = Json::array();
  for (const Answer& answer : answered.answers) json["answers"].push_back(AnswerJson(answer));
  return json;
}

absl::StatusOr<AnsweredRow> AnsweredRowFromJson(const Json& json, absl::string_view document) {
  JsonReader reader(json, document);
  AnsweredRow answered;
  TY_ASSIGN_OR_RETURN(answered.row, reader.Int("row"));
  TY_ASSIGN_OR_RETURN(const Json* answers, reader.Array("answers"));
  for (const Json& answer : *answers) {
    TY_ASSIGN_OR_RETURN(answered.answers.emplace_back(),
                        AnswerFromJson(answer, absl::StrCat(document, ": answers")));
  }
  return answered;
}

}  // namespace trainyard::eval
