#include "tokenizer/component.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tokenizer/utf8.h"

namespace trainyard::tokenizer {

absl::StatusOr<std::string> ComponentType(const Json& json, absl::string_view document) {
  if (!json.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(document, ": not an object with a type"));
  }
  return JsonReader(json, document).String("type");
}

absl::Status UnsupportedType(absl::string_view document, absl::string_view type,
                             absl::string_view supported) {
  return absl::InvalidArgumentError(
      absl::StrCat(document, " ", type, " is not supported; ", supported, " are"));
}

absl::StatusOr<std::string> ReadCharacter(const JsonReader& reader, absl::string_view field,
                                          absl::string_view document) {
  TY_ASSIGN_OR_RETURN(const std::string text, reader.String(field));
  if (text.empty() || text.size() != static_cast<size_t>(Utf8Length(text[0]))) {
    return absl::InvalidArgumentError(
        absl::StrCat(document, ": ", field, " \"", text, "\" must be one character"));
  }
  return text;
}

absl::StatusOr<const Json*> ReadSequence(const Json& json, absl::string_view field,
                                         absl::string_view document) {
  const JsonReader reader(json, document);
  TY_RETURN_IF_ERROR(reader.OnlyFields({"type", std::string(field)}));
  return reader.Array(field);
}

}  // namespace trainyard::tokenizer
