// Speed of the tokenizer on one thread. Driven by bench/tokenizer_bench.py: for each line on
// standard input, "train SIZE" or "encode TOKENIZER", it does so once over TEXT and prints one JSON
// line.

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/atomic_file.h"
#include "base/json.h"
#include "base/status.h"
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

absl::StatusOr<Json> Train(int32_t vocabulary_size, const std::vector<absl::string_view>& lines) {
  const auto begin = std::chrono::steady_clock::now();
  BpeTrainerOptions options;
  options.vocabulary_size = vocabulary_size;
  TY_ASSIGN_OR_RETURN(const auto trainer, BpeTrainer::Create(options));
  for (const absl::string_view line : lines) trainer->Feed(line);
  TY_ASSIGN_OR_RETURN(const TokenizerParts parts, trainer->Finish());
  return Json{{"seconds", Seconds(begin)}, {"merges", parts.merges.size()}};
}

absl::StatusOr<Json> Encode(const std::string& path, const std::vector<absl::string_view>& lines) {
  TY_ASSIGN_OR_RETURN(const auto tokenizer, LoadTokenizer(path));
  const auto begin = std::chrono::steady_clock::now();
  Encoder encoder(*tokenizer);
  std::vector<TokenId> ids;
  int64_t tokens = 0;
  for (const absl::string_view line : lines) {
    ids.clear();
    encoder.Encode(line, &ids);
    tokens += static_cast<int64_t>(ids.size());
  }
  return Json{{"seconds", Seconds(begin)}, {"tokens", tokens}};
}

absl::Status Run(const std::string& path) {
  TY_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  const std::vector<absl::string_view> lines = Lines(text);
  for (std::string command; std::getline(std::cin, command);) {
    const std::pair<std::string, std::string> words = absl::StrSplit(command, ' ');
    TY_ASSIGN_OR_RETURN(const Json result, words.first == "train"
                                               ? Train(std::atoi(words.second.c_str()), lines)
                                               : Encode(words.second, lines));
    std::cout << result.dump() << std::endl;
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace trainyard::tokenizer

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: bench_tokenizer TEXT\n";
    return 2;
  }
  const absl::Status status = trainyard::tokenizer::Run(argv[1]);
  if (!status.ok()) std::cerr << status.ToString() << "\n";
  return status.ok() ? 0 : 1;
}
