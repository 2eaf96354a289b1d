// Chat templates as Jinja, which transformers renders: written for exports, and compared.

#ifndef TRAINYARD_TOKENIZER_CHAT_JINJA_H_
#define TRAINYARD_TOKENIZER_CHAT_JINJA_H_

#include <string>

#include "absl/strings/string_view.h"
#include "tokenizer/chat_spec.h"

namespace trainyard::tokenizer {

// The template for `apply_chat_template`, which renders the same text; what LayOutChat refuses
// raises an exception there.
std::string ChatTemplateJinja(const ChatTemplateSpec& spec);

// A Jinja text without what changes no rendering in transformers (trim_blocks and lstrip_blocks are
// on there): comments, white space that is trimmed away, and white space inside of tags but for one
// space; a line end in a string as "\n". Two texts with the same form render the same.
std::string CanonicalJinja(absl::string_view jinja);

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TOKENIZER_CHAT_JINJA_H_
