#include "tokenizer/component.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tokenizer/utf8.h"

namespace trainyard::tokenizer {
namespace {

absl::StatusOr<Metaspace::Prepend> ParsePrepend(absl::string_view name,
                                                absl::string_view document) {
  if (name == "always") return Metaspace::Prepend::kAlways;
  if (name == "first") return Metaspace::Prepend::kFirst;
  if (name == "never") return Metaspace::Prepend::kNever;
  return absl::InvalidArgumentError(absl::StrCat(
      document, ": prepend_scheme \"", name, "\" is not supported; always, first and never are"));
}

}  // namespace

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

absl::Status FlattenSequence(const Json& json, absl::string_view field, absl::string_view document,
                             std::vector<const Json*>* steps) {
  TY_ASSIGN_OR_RETURN(const std::string type, ComponentType(json, document));
  if (type != "Sequence") {
    steps->push_back(&json);
    return absl::OkStatus();
  }
  TY_ASSIGN_OR_RETURN(const Json* elements, ReadSequence(json, field, document));
  for (const Json& element : *elements) {
    TY_RETURN_IF_ERROR(FlattenSequence(element, field, document, steps));
  }
  return absl::OkStatus();
}

absl::StatusOr<Metaspace> ReadMetaspace(const Json& json, absl::string_view document) {
  const JsonReader reader(json, document);
  TY_RETURN_IF_ERROR(reader.OnlyFields(
      {"type", "replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep"}));
  Metaspace metaspace;
  TY_ASSIGN_OR_RETURN(metaspace.replacement, ReadCharacter(reader, "replacement", document));
  TY_ASSIGN_OR_RETURN(const bool add_prefix_space, reader.Bool("add_prefix_space", true));
  TY_ASSIGN_OR_RETURN(const std::string scheme,
                      reader.String("prepend_scheme", add_prefix_space ? "always" : "never"));
  TY_ASSIGN_OR_RETURN(metaspace.prepend, ParsePrepend(scheme, document));
  if (!add_prefix_space && metaspace.prepend != Metaspace::Prepend::kNever) {
    return absl::InvalidArgumentError(absl::StrCat(
        document, ": add_prefix_space false contradicts prepend_scheme \"", scheme, "\""));
  }
  TY_ASSIGN_OR_RETURN(metaspace.split, reader.Bool("split", true));
  return metaspace;
}

}  // namespace trainyard::tokenizer
