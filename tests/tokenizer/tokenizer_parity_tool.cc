// Our side of tokenizer_parity_test.py.
//
//   tokenizer_parity_tool encode TOKENIZER DOCUMENTS IDS   TOKENIZER: a tokenizer.json, or a
//       directory with GPT-2's vocab.json and merges.txt. Text is encoded as user text.
//   tokenizer_parity_tool encode-added TOKENIZER DOCUMENTS IDS   the same, added tokens parsed.
//   tokenizer_parity_tool train SIZE DOCUMENTS TOKENIZER SPECIAL...
//   tokenizer_parity_tool convert TOKENIZER OUTPUT         writes it as a tokenizer.json.
//
// DOCUMENTS and IDS: for each document its length (uint32) and its bytes; its ids (int32).

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "base/atomic_file.h"
#include "base/status.h"
#include "tokenizer/bpe_trainer.h"
#include "tokenizer/tokenizer_file.h"

namespace trainyard::tokenizer {
namespace {

absl::StatusOr<std::shared_ptr<const Tokenizer>> Load(const std::string& path) {
  if (!std::filesystem::is_directory(path)) return LoadTokenizer(path);
  return LoadGpt2Tokenizer(path + "/vocab.json", path + "/merges.txt");
}

std::vector<absl::string_view> Documents(absl::string_view file) {
  std::vector<absl::string_view> documents;
  while (!file.empty()) {
    uint32_t size = 0;
    std::memcpy(&size, file.data(), sizeof(size));
    documents.push_back(file.substr(sizeof(size), size));
    file.remove_prefix(sizeof(size) + size);
  }
  return documents;
}

absl::Status Encode(const std::vector<std::string>& args, AddedTokens added) {
  TY_ASSIGN_OR_RETURN(const auto tokenizer, Load(args[0]));
  TY_ASSIGN_OR_RETURN(const std::string file, ReadFile(args[1]));
  PieceCache cache;
  std::string output;
  std::vector<TokenId> ids;
  for (const absl::string_view document : Documents(file)) {
    ids.clear();
    tokenizer->Append(document, added, &cache, &ids);
    if (added == AddedTokens::kAsText && tokenizer->Decode(ids, SpecialTokens::kKeep) != document) {
      return absl::InternalError("a document does not round-trip");
    }
    const uint32_t count = static_cast<uint32_t>(ids.size());
    output.append(reinterpret_cast<const char*>(&count), sizeof(count));
    output.append(reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof(TokenId));
  }
  return WriteFileAtomically(args[2], output);
}

absl::Status Train(const std::vector<std::string>& args) {
  BpeTrainerOptions options;
  if (!absl::SimpleAtoi(args[0], &options.vocabulary_size)) {
    return absl::InvalidArgumentError("SIZE is not a number");
  }
  options.special_tokens.assign(args.begin() + 3, args.end());
  TY_ASSIGN_OR_RETURN(const auto trainer, BpeTrainer::Create(options));
  TY_ASSIGN_OR_RETURN(const std::string file, ReadFile(args[1]));
  for (const absl::string_view document : Documents(file)) trainer->Feed(document);
  TY_ASSIGN_OR_RETURN(TokenizerParts parts, trainer->Finish());
  TY_ASSIGN_OR_RETURN(const auto tokenizer, Tokenizer::Create(std::move(parts)));
  return WriteFileAtomically(args[2], TokenizerJson(*tokenizer));
}

absl::Status Convert(const std::vector<std::string>& args) {
  TY_ASSIGN_OR_RETURN(const auto tokenizer, Load(args[0]));
  return WriteFileAtomically(args[1], TokenizerJson(*tokenizer));
}

absl::Status Run(const std::string& verb, const std::vector<std::string>& args) {
  if (verb == "encode" && args.size() == 3) return Encode(args, AddedTokens::kAsText);
  if (verb == "encode-added" && args.size() == 3) return Encode(args, AddedTokens::kParse);
  if (verb == "train" && args.size() >= 3) return Train(args);
  if (verb == "convert" && args.size() == 2) return Convert(args);
  return absl::InvalidArgumentError("usage: see the top of tokenizer_parity_tool.cc");
}

}  // namespace
}  // namespace trainyard::tokenizer

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  const absl::Status status =
      args.empty() ? absl::InvalidArgumentError("no verb")
                   : trainyard::tokenizer::Run(args[0], {args.begin() + 1, args.end()});
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return 1;
}
