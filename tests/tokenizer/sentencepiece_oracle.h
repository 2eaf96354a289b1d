// SentencePiece's own library behind plain types: its headers declare absl::string_view anew, so
// that no file can see them and abseil's.

#ifndef TRAINYARD_TESTS_TOKENIZER_SENTENCEPIECE_ORACLE_H_
#define TRAINYARD_TESTS_TOKENIZER_SENTENCEPIECE_ORACLE_H_

#include <string>
#include <vector>

namespace trainyard::testing {

// Trains a model; `flags` as for spm_train. The bytes of its `.model`.
std::string TrainSentencePiece(const std::vector<std::string>& lines, const std::string& flags);

std::vector<int> EncodeWithSentencePiece(const std::string& model, const std::string& text);
std::string DecodeWithSentencePiece(const std::string& model, const std::vector<int>& ids);

}  // namespace trainyard::testing

#endif  // TRAINYARD_TESTS_TOKENIZER_SENTENCEPIECE_ORACLE_H_
