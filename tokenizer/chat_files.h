// What stands beside a tokenizer.json about chats: read from a model's directory, and written into
// an exported one so that transformers' `apply_chat_template` works there.

#ifndef TRAINYARD_TOKENIZER_CHAT_FILES_H_
#define TRAINYARD_TOKENIZER_CHAT_FILES_H_

#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "tokenizer/chat_catalog.h"
#include "tokenizer/chat_spec.h"

namespace trainyard::tokenizer {

// bos_token and eos_token of the directory's tokenizer_config.json; empty without one.
absl::StatusOr<ChatTokens> ReadChatTokens(const std::string& directory);

// The template of a model's directory: what the manifest of a model that was trained here says,
// else the recognised text of chat_template.jinja or tokenizer_config.json (of several the one
// called "default"). Nothing when it has none. Errors of RecogniseChatTemplate.
absl::StatusOr<std::optional<ChatTemplateSpec>> OwnChatTemplate(const std::string& directory);

// The tokenizer's files in `directory` by name, with `spec` (if not null) as their chat template: a
// published text that is this template stays as it is.
absl::StatusOr<std::map<std::string, std::string>> TokenizerFilesWith(
    const ChatTemplateSpec* spec, const std::string& directory);

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TOKENIZER_CHAT_FILES_H_
