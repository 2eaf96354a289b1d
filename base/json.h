// Strict reading of small JSON documents (configs, manifests): every error names the document and
// the field. nlohmann-json behind it; JSONL data sets are read by simdjson in data/ instead.

#ifndef TRAINYARD_BASE_JSON_H_
#define TRAINYARD_BASE_JSON_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trainyard {

using Json = nlohmann::json;

// Parses `text`. InvalidArgument names `document`, and the byte where it went wrong.
absl::StatusOr<Json> ParseJson(absl::string_view text, absl::string_view document);

// Reads and parses a file.
absl::StatusOr<Json> ReadJsonFile(const std::string& path);

// Typed access to an object's fields. InvalidArgument names the document, the field, its value and
// the type that is wanted.
class JsonReader {
 public:
  // Both must outlive the reader.
  JsonReader(const Json& object, absl::string_view document)
      : object_(object), document_(document) {}

  bool Has(absl::string_view field) const;  // present and not null
  absl::StatusOr<std::string> String(absl::string_view field) const;
  absl::StatusOr<int64_t> Int(absl::string_view field) const;
  absl::StatusOr<double> Double(absl::string_view field) const;
  absl::StatusOr<bool> Bool(absl::string_view field) const;
  // The same, with a value for a field that is absent or null.
  absl::StatusOr<std::string> String(absl::string_view field, absl::string_view absent) const;
  absl::StatusOr<int64_t> Int(absl::string_view field, int64_t absent) const;
  absl::StatusOr<double> Double(absl::string_view field, double absent) const;
  absl::StatusOr<bool> Bool(absl::string_view field, bool absent) const;
  // A child that must be an object or an array.
  absl::StatusOr<const Json*> Object(absl::string_view field) const;
  absl::StatusOr<const Json*> Array(absl::string_view field) const;
  // InvalidArgument on the first field outside `known`, with the nearest known name.
  absl::Status OnlyFields(const std::vector<std::string>& known) const;

 private:
  absl::StatusOr<const Json*> Find(absl::string_view field) const;
  absl::Status WrongType(absl::string_view field, const Json& value,
                         absl::string_view wanted) const;

  const Json& object_;
  const std::string document_;
};

}  // namespace trainyard

#endif  // TRAINYARD_BASE_JSON_H_
