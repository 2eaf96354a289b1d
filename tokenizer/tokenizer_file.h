// Tokenizers on disk, in the formats of Hugging Face and GPT-2.

#ifndef TRAINYARD_TOKENIZER_TOKENIZER_FILE_H_
#define TRAINYARD_TOKENIZER_TOKENIZER_FILE_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tokenizer/tokenizer.h"

namespace trainyard::tokenizer {

// Reads a `tokenizer.json`: model BPE without dropout, fallback, prefix or suffix; no normalizer;
// pre-tokenizer ByteLevel, or Split by a pattern and then ByteLevel; decoder ByteLevel. Truncation
// and padding settings are left to the reader's caller, as is a ByteLevel post-processor, which
// changes no id. InvalidArgument names the component that is not supported. NotFound names the
// path.
absl::StatusOr<std::shared_ptr<const Tokenizer>> LoadTokenizer(const std::string& path);
// The same from the file's text; `document` names it in errors.
absl::StatusOr<std::shared_ptr<const Tokenizer>> ParseTokenizer(absl::string_view text,
                                                                absl::string_view document);

// Reads GPT-2's `vocab.json` and `merges.txt`. An id that no byte or merge makes becomes a special
// token ("<|endoftext|>").
absl::StatusOr<std::shared_ptr<const Tokenizer>> LoadGpt2Tokenizer(const std::string& vocab_path,
                                                                   const std::string& merges_path);

// The text of a `tokenizer.json` that Hugging Face `tokenizers` loads and that gives the same ids.
std::string TokenizerJson(const Tokenizer& tokenizer);

// What `tokenizer_config.json` says beside it. Empty contents are left out.
struct TokenizerConfig {
  std::string end_token;
  std::string begin_token;
  std::string pad_token;
  std::string chat_template;     // Jinja, as transformers reads it
  int64_t model_max_length = 0;  // tokens; 0: not said
};

// Writes tokenizer.json and tokenizer_config.json into `directory`, each atomically.
absl::Status SaveTokenizer(const Tokenizer& tokenizer, const TokenizerConfig& config,
                           const std::string& directory);

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TOKENIZER_TOKENIZER_FILE_H_
