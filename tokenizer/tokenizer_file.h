// Tokenizers on disk, in the formats of Hugging Face and GPT-2.

#ifndef TRAINYARD_TOKENIZER_TOKENIZER_FILE_H_
#define TRAINYARD_TOKENIZER_TOKENIZER_FILE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tokenizer/tokenizer.h"

namespace trainyard::tokenizer {

// Reads a `tokenizer.json` with model BPE (without dropout, prefix or suffix). Which components
// there are, normalizer.h, pretokenizer.h, post_processor.h and decoder_step.h say; InvalidArgument
// names one that is not supported, and those that are. Truncation and padding settings are left to
// the reader's caller. NotFound names the path.
absl::StatusOr<std::shared_ptr<const Tokenizer>> LoadTokenizer(const std::string& path);
// The same from the file's text; `document` names it in errors.
absl::StatusOr<std::shared_ptr<const Tokenizer>> ParseTokenizer(absl::string_view text,
                                                                absl::string_view document);

// Reads GPT-2's `vocab.json` and `merges.txt`. An id that no byte or merge makes becomes a special
// token ("<|endoftext|>").
absl::StatusOr<std::shared_ptr<const Tokenizer>> LoadGpt2Tokenizer(const std::string& vocab_path,
                                                                   const std::string& merges_path);

// Reads SentencePiece's BPE `.model`; sentencepiece_file.h says which, and as what.
absl::StatusOr<std::shared_ptr<const Tokenizer>> LoadSentencePieceTokenizer(
    const std::string& path);

// The file with the vocabulary of the tokenizer in a model's directory, whose SHA-256 models are
// bound to: its tokenizer.json, else its vocab.json (which has a merges.txt beside it), else its
// tokenizer.model. NotFound names the directory and the files.
absl::StatusOr<std::string> FindVocabularyFile(const std::string& directory);

// The tokenizer of a model's directory, from that file. Errors of FindVocabularyFile and those of
// the formats.
struct TokenizerInDirectory {
  std::shared_ptr<const Tokenizer> tokenizer;
  std::string path;  // FindVocabularyFile's
};
absl::StatusOr<TokenizerInDirectory> LoadTokenizerOf(const std::string& directory);

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
