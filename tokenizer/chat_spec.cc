#include "tokenizer/chat_spec.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/status.h"

namespace trainyard::tokenizer {
namespace {

template <typename Value>
using Names = std::pair<Value, const char*>;

constexpr Names<SystemPlace> kPlaces[] = {{SystemPlace::kOwnTurn, ""},
                                          {SystemPlace::kFirstUser, "first_user"},
                                          {SystemPlace::kLastUser, "last_user"},
                                          {SystemPlace::kBegin, "begin"}};
constexpr Names<Thinking> kThinking[] = {
    {Thinking::kNone, ""}, {Thinking::kOn, "on"}, {Thinking::kOff, "off"}};

template <typename Value>
const char* NameOf(absl::Span<const Names<Value>> names, Value wanted) {
  for (const auto& [value, name] : names) {
    if (value == wanted) return name;
  }
  return "";
}

template <typename Value>
absl::Status ReadName(const JsonReader& reader, absl::string_view place,
                      absl::Span<const Names<Value>> names, Value* target) {
  const absl::string_view field = place.substr(place.rfind(' ') + 1);
  TY_ASSIGN_OR_RETURN(const std::string given, reader.String(field, ""));
  for (const auto& [value, name] : names) {
    if (given != name) continue;
    *target = value;
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(place, " is \"", given, "\", which is unknown"));
}

}  // namespace

absl::StatusOr<ChatTemplateSpec> ParseChatTemplate(const Json& json, absl::string_view document) {
  JsonReader reader(json, document);
  TY_RETURN_IF_ERROR(reader.OnlyFields({"name", "begin", "roles", "end_of_turn", "answer_begin",
                                        "default_system", "system_place", "alternate",
                                        "thinking"}));
  ChatTemplateSpec spec;
  TY_ASSIGN_OR_RETURN(spec.name, reader.String("name", ""));
  TY_ASSIGN_OR_RETURN(spec.begin, reader.String("begin", ""));
  TY_ASSIGN_OR_RETURN(spec.end_of_turn, reader.String("end_of_turn"));
  TY_ASSIGN_OR_RETURN(spec.answer_begin, reader.String("answer_begin", ""));
  TY_ASSIGN_OR_RETURN(spec.default_system, reader.String("default_system", ""));
  TY_ASSIGN_OR_RETURN(spec.alternate, reader.Bool("alternate", false));
  TY_RETURN_IF_ERROR(ReadName<SystemPlace>(reader, absl::StrCat(document, ": system_place"),
                                           kPlaces, &spec.system_place));
  TY_RETURN_IF_ERROR(ReadName<Thinking>(reader, absl::StrCat(document, ": thinking"), kThinking,
                                        &spec.thinking));
  TY_ASSIGN_OR_RETURN(const Json* roles, reader.Object("roles"));
  for (const auto& [role, format] : roles->items()) {
    JsonReader fields(format, absl::StrCat(document, ": roles.", role));
    TY_RETURN_IF_ERROR(fields.OnlyFields({"prefix", "suffix", "trim"}));
    RoleFormat& target = spec.roles[role];
    TY_ASSIGN_OR_RETURN(target.prefix, fields.String("prefix", ""));
    TY_ASSIGN_OR_RETURN(target.suffix, fields.String("suffix", ""));
    TY_ASSIGN_OR_RETURN(target.trim, fields.Bool("trim", false));
  }
  if (spec.system_place != SystemPlace::kOwnTurn && spec.roles.count(kSystemRole) == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(document, ": system_place is given, and roles have no \"system\""));
  }
  return spec;
}

Json ChatTemplateJson(const ChatTemplateSpec& spec) {
  Json roles = Json::object();
  for (const auto& [role, format] : spec.roles) {
    roles[role] = {{"prefix", format.prefix}, {"suffix", format.suffix}};
    if (format.trim) roles[role]["trim"] = true;
  }
  Json json = {{"begin", spec.begin}, {"roles", roles}, {"end_of_turn", spec.end_of_turn}};
  const auto set = [&json](const char* field, const std::string& value) {
    if (!value.empty()) json[field] = value;
  };
  set("name", spec.name);
  set("answer_begin", spec.answer_begin);
  set("default_system", spec.default_system);
  set("system_place", NameOf<SystemPlace>(kPlaces, spec.system_place));
  set("thinking", NameOf<Thinking>(kThinking, spec.thinking));
  if (spec.alternate) json["alternate"] = true;
  return json;
}

}  // namespace trainyard::tokenizer
