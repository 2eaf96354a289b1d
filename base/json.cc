#include "base/json.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/atomic_file.h"
#include "base/ids.h"
#include "base/status.h"

namespace trainyard {

absl::StatusOr<Json> ParseJson(absl::string_view text, absl::string_view document) {
  try {
    return Json::parse(text.begin(), text.end());
  } catch (const Json::parse_error& error) {
    return absl::InvalidArgumentError(
        absl::StrCat(document, " is not JSON, byte ", error.byte, ": ", error.what()));
  } catch (const Json::exception& error) {  // a number beyond a double's range
    return absl::InvalidArgumentError(absl::StrCat(document, " is not read: ", error.what()));
  }
}

absl::StatusOr<Json> ReadJsonFile(const std::string& path) {
  TY_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  return ParseJson(text, path);
}

bool JsonReader::Has(absl::string_view field) const {
  const auto it = object_.find(std::string(field));
  return it != object_.end() && !it->is_null();
}

absl::StatusOr<const Json*> JsonReader::Find(absl::string_view field) const {
  if (!object_.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(document_, " is no JSON object"));
  }
  if (!Has(field)) {
    return absl::InvalidArgumentError(
        absl::StrCat(document_, ": field \"", field, "\" is missing"));
  }
  return &*object_.find(std::string(field));
}

absl::Status JsonReader::WrongType(absl::string_view field, const Json& value,
                                   absl::string_view wanted) const {
  return absl::InvalidArgumentError(absl::StrCat(document_, ": field \"", field, "\" is ",
                                                 value.dump().substr(0, 80), ", not ", wanted));
}

absl::StatusOr<std::string> JsonReader::String(absl::string_view field) const {
  TY_ASSIGN_OR_RETURN(const Json* value, Find(field));
  if (!value->is_string()) return WrongType(field, *value, "a string");
  return value->get<std::string>();
}

absl::StatusOr<int64_t> JsonReader::Int(absl::string_view field) const {
  TY_ASSIGN_OR_RETURN(const Json* value, Find(field));
  if (!value->is_number_integer()) return WrongType(field, *value, "an integer");
  return value->get<int64_t>();
}

absl::StatusOr<double> JsonReader::Double(absl::string_view field) const {
  TY_ASSIGN_OR_RETURN(const Json* value, Find(field));
  if (!value->is_number()) return WrongType(field, *value, "a number");
  return value->get<double>();
}

absl::StatusOr<bool> JsonReader::Bool(absl::string_view field) const {
  TY_ASSIGN_OR_RETURN(const Json* value, Find(field));
  if (!value->is_boolean()) return WrongType(field, *value, "true or false");
  return value->get<bool>();
}

absl::StatusOr<std::string> JsonReader::String(absl::string_view field,
                                               absl::string_view absent) const {
  return Has(field) ? String(field) : std::string(absent);
}

absl::StatusOr<int64_t> JsonReader::Int(absl::string_view field, int64_t absent) const {
  return Has(field) ? Int(field) : absent;
}

absl::StatusOr<double> JsonReader::Double(absl::string_view field, double absent) const {
  return Has(field) ? Double(field) : absent;
}

absl::StatusOr<bool> JsonReader::Bool(absl::string_view field, bool absent) const {
  return Has(field) ? Bool(field) : absent;
}

absl::StatusOr<const Json*> JsonReader::Object(absl::string_view field) const {
  TY_ASSIGN_OR_RETURN(const Json* value, Find(field));
  if (!value->is_object()) return WrongType(field, *value, "an object");
  return value;
}

absl::StatusOr<const Json*> JsonReader::Array(absl::string_view field) const {
  TY_ASSIGN_OR_RETURN(const Json* value, Find(field));
  if (!value->is_array()) return WrongType(field, *value, "an array");
  return value;
}

absl::Status JsonReader::OnlyFields(const std::vector<std::string>& known) const {
  if (!object_.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(document_, " is no JSON object"));
  }
  for (const auto& [name, value] : object_.items()) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const std::string nearest = NearestName(name, known);
    return absl::InvalidArgumentError(
        absl::StrCat(document_, ": unknown field \"", name, "\"",
                     nearest.empty() ? "" : absl::StrCat(", did you mean \"", nearest, "\"?")));
  }
  return absl::OkStatus();
}

}  // namespace trainyard
