// A tokenizer's directory: the tokenizer, what its config says, and its way into artifacts.

#ifndef TRAINYARD_WORKER_TOKENIZER_FILES_H_
#define TRAINYARD_WORKER_TOKENIZER_FILES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "checkpoint/safetensors.h"
#include "tokenizer/chat_spec.h"
#include "tokenizer/tokenizer.h"

namespace trainyard::worker {

struct TokenizerFiles {
  std::string directory;
  std::shared_ptr<const tokenizer::Tokenizer> tokenizer;
  std::string sha256;     // of tokenizer.json or its like: what models are bound to
  std::string end_token;  // of tokenizer_config.json; empty: not said
  std::string pad_token;
  int64_t end_id = -1;    // -1: none
  int64_t pad_id = -1;
};

// NotFound when there is no tokenizer; errors of the tokenizer's own reader.
absl::StatusOr<TokenizerFiles> OpenTokenizer(const std::string& directory);

// Copies tokenizer.json and the files beside it that `transformers` reads, fsynced, with
// `chat_template` (if not null) as what `apply_chat_template` uses.
absl::StatusOr<std::vector<checkpoint::FileRecord>> CopyTokenizer(
    const TokenizerFiles& files, const tokenizer::ChatTemplateSpec* chat_template,
    const std::string& directory);

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_TOKENIZER_FILES_H_
