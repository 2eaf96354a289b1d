// The first step on the way from text to ids: characters are changed, nothing is cut.

#ifndef TRAINYARD_TOKENIZER_NORMALIZER_H_
#define TRAINYARD_TOKENIZER_NORMALIZER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/json.h"

namespace trainyard::tokenizer {

struct NormalText {
  std::string text;
  // How many bytes at its front stem from the first character of the whole input: none in a text
  // from further behind. Metaspace with prepend_scheme "first" asks for it.
  size_t first_bytes = 0;
};

// Immutable, thread-safe. Texts are valid UTF-8.
class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual void Apply(NormalText* text) const = 0;
};

// The "normalizer" of a tokenizer.json; null for null. InvalidArgument lists the types there are.
absl::StatusOr<std::unique_ptr<Normalizer>> MakeNormalizer(const Json& json,
                                                           absl::string_view document);

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TOKENIZER_NORMALIZER_H_
