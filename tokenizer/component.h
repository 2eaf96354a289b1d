// What the readers of a tokenizer.json's components share.

#ifndef TRAINYARD_TOKENIZER_COMPONENT_H_
#define TRAINYARD_TOKENIZER_COMPONENT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/json.h"

namespace trainyard::tokenizer {

// The "type" of a component. InvalidArgument when it is no object, or has no type.
absl::StatusOr<std::string> ComponentType(const Json& json, absl::string_view document);

// "DOCUMENT TYPE is not supported; SUPPORTED are".
absl::Status UnsupportedType(absl::string_view document, absl::string_view type,
                             absl::string_view supported);

// A field that holds one character, as UTF-8.
absl::StatusOr<std::string> ReadCharacter(const JsonReader& reader, absl::string_view field,
                                          absl::string_view document);

// The elements of a Sequence, which are in `field`.
absl::StatusOr<const Json*> ReadSequence(const Json& json, absl::string_view field,
                                         absl::string_view document);

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TOKENIZER_COMPONENT_H_
