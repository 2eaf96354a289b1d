// Speed of the tokenizer. Driven by bench/tokenizer_bench.py: for each line on standard input,
// "train SIZE TEXT" (on one thread) or "encode THREADS TOKENIZER TEXT", it does so once over the
// file TEXT and prints one JSON line.

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/atomic_file.h"
#include "base/json.h"
#include "base/status.h"
#include "tokenizer/batch_encoder.h"
#include "tokenizer/bpe_trainer.h"
#include "tokenizer/tokenizer_file.h"

namespace trainyard::tokenizer {
namespace {

double Seconds(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Each line with its end, as the peer gets them.
std::vector<absl::string_view> Lines(absl::string_view text) {
  std::vector<absl::string_view> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const size_t size = end == absl::string_view::npos ? text.size() : end + 1;
    lines.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return lines;
}

absl::StatusOr<Json> Train(int32_t vocabulary_size, const std::string& path) {
  TY_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  const std::vector<absl::string_view> lines = Lines(text);
  const auto begin = std::chrono::steady_clock::now();
  BpeTrainerOptions options;
  options.vocabulary_size = vocabulary_size;
  TY_ASSIGN_OR_RETURN(const auto trainer, BpeTrainer::Create(options));
  for (const absl::string_view line : lines) trainer->Feed(line);
  TY_ASSIGN_OR_RETURN(const TokenizerParts parts, trainer->Finish());
  return Json{{"seconds", Seconds(begin)}, {"merges", parts.merges.size()}};
}

absl::StatusOr<Json> Encode(int threads, const std::string& tokenizer_path,
                            const std::string& path) {
  TY_ASSIGN_OR_RETURN(const auto tokenizer, LoadTokenizer(tokenizer_path));
  TY_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  const std::vector<absl::string_view> lines = Lines(text);
  const auto begin = std::chrono::steady_clock::now();
  BatchEncoder encoder(*tokenizer, threads);
  EncodedBatch batch;
  encoder.Encode(lines, AddedTokens::kParse, &batch);
  const double seconds = Seconds(begin);
  size_t tokens = 0;
  for (size_t i = 0; i < batch.size(); ++i) tokens += batch[i].size();
  return Json{{"seconds", seconds}, {"tokens", tokens}};
}

absl::StatusOr<Json> Do(absl::string_view command) {
  const std::vector<std::string> words = absl::StrSplit(command, ' ');
  if (words.size() == 3 && words[0] == "train") return Train(std::atoi(words[1].c_str()), words[2]);
  if (words.size() == 4 && words[0] == "encode") {
    return Encode(std::atoi(words[1].c_str()), words[2], words[3]);
  }
  return absl::InvalidArgumentError(absl::StrCat("no such command: ", command));
}

}  // namespace
}  // namespace trainyard::tokenizer

int main() {
  for (std::string command; std::getline(std::cin, command);) {
    const absl::StatusOr<trainyard::Json> result = trainyard::tokenizer::Do(command);
    if (!result.ok()) {
      std::cerr << result.status().ToString() << "\n";
      return 1;
    }
    std::cout << result->dump() << std::endl;
  }
  return 0;
}
