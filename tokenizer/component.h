// What the readers of a tokenizer.json's components share.

#ifndef TRAINYARD_TOKENIZER_COMPONENT_H_
#define TRAINYARD_TOKENIZER_COMPONENT_H_

#include <string>
#include <vector>

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

// Appends the steps of a component in order: itself, or a Sequence's elements (in `field`), those
// of a Sequence within a Sequence included.
absl::Status FlattenSequence(const Json& json, absl::string_view field, absl::string_view document,
                             std::vector<const Json*>* steps);

// Metaspace, as a pre-tokenizer and as a decoder. Read in both its forms: {"add_prefix_space"} and
// {"prepend_scheme", "split"}; InvalidArgument where they contradict each other.
struct Metaspace {
  enum class Prepend { kAlways, kFirst, kNever };
  std::string replacement;  // one character
  Prepend prepend = Prepend::kAlways;
  bool split = true;
};
absl::StatusOr<Metaspace> ReadMetaspace(const Json& json, absl::string_view document);

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TOKENIZER_COMPONENT_H_
