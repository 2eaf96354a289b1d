// What a tokenizer puts around the ids of one text: a begin token, say.

#ifndef TRAINYARD_TOKENIZER_POST_PROCESSOR_H_
#define TRAINYARD_TOKENIZER_POST_PROCESSOR_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/json.h"
#include "tokenizer/bpe.h"

namespace trainyard::tokenizer {

// Immutable, thread-safe. Of a TemplateProcessing the template for single texts is used; a
// ByteLevel changes no id.
class PostProcessor {
 public:
  // The "post_processor" of a tokenizer.json, which may be null. InvalidArgument lists the types
  // there are, and names a special token without ids or a second template.
  static absl::StatusOr<PostProcessor> Make(const Json& json, absl::string_view document);

  std::vector<TokenId> Apply(absl::Span<const TokenId> ids) const;

 private:
  struct Part {
    bool is_text = false;
    std::vector<TokenId> ids;
  };
  absl::Status Read(const Json& json, absl::string_view document);
  absl::Status ReadTemplate(const Json& json, absl::string_view document);

  std::vector<Part> parts_;  // empty: the text alone
};

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TOKENIZER_POST_PROCESSOR_H_
