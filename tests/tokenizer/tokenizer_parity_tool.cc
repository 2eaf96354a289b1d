// Our side of the tokenizer parity tests.
//
//   tokenizer_parity_tool encode TOKENIZER DOCUMENTS IDS   TOKENIZER: a tokenizer.json, or a
//       directory (vocab.json and merges.txt, say). Text is encoded as user text.
//   tokenizer_parity_tool encode-added TOKENIZER DOCUMENTS IDS      the same, added tokens parsed.
//   tokenizer_parity_tool encode-template TOKENIZER DOCUMENTS IDS   and the template put around.
//   tokenizer_parity_tool decode TOKENIZER IDS DOCUMENTS   and with decode-skip without specials.
//   tokenizer_parity_tool stream TOKENIZER IDS DOCUMENTS   and with stream-skip the same id by id;
//       fails when a piece is no valid UTF-8.
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

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/atomic_file.h"
#include "base/status.h"
#include "tokenizer/bpe_trainer.h"
#include "tokenizer/stream_decoder.h"
#include "tokenizer/tokenizer_file.h"
#include "tokenizer/utf8.h"

namespace trainyard::tokenizer {
namespace {

absl::StatusOr<std::shared_ptr<const Tokenizer>> Load(const std::string& path) {
  if (!std::filesystem::is_directory(path)) return LoadTokenizer(path);
  TY_ASSIGN_OR_RETURN(TokenizerInDirectory found, LoadTokenizerOf(path));
  return std::move(found.tokenizer);
}

// The records of a file: a length and as many elements of `element_bytes`.
std::vector<absl::string_view> Records(absl::string_view file, size_t element_bytes) {
  std::vector<absl::string_view> records;
  while (!file.empty()) {
    uint32_t size = 0;
    std::memcpy(&size, file.data(), sizeof(size));
    records.push_back(file.substr(sizeof(size), size * element_bytes));
    file.remove_prefix(sizeof(size) + size * element_bytes);
  }
  return records;
}

void AppendRecord(const void* data, size_t count, size_t element_bytes, std::string* file) {
  const uint32_t size = static_cast<uint32_t>(count);
  file->append(reinterpret_cast<const char*>(&size), sizeof(size));
  file->append(static_cast<const char*>(data), count * element_bytes);
}

absl::Status Encode(absl::string_view verb, const std::vector<std::string>& args) {
  TY_ASSIGN_OR_RETURN(const auto tokenizer, Load(args[0]));
  TY_ASSIGN_OR_RETURN(const std::string file, ReadFile(args[1]));
  PieceCache cache;
  std::string output;
  std::vector<TokenId> ids;
  for (const absl::string_view document : Records(file, 1)) {
    ids.clear();
    if (verb == "encode-template") {
      ids = tokenizer->EncodeWithTemplate(document);
    } else {
      tokenizer->Append(document, verb == "encode" ? AddedTokens::kAsText : AddedTokens::kParse,
                        &cache, &ids);
    }
    AppendRecord(ids.data(), ids.size(), sizeof(TokenId), &output);
  }
  return WriteFileAtomically(args[2], output);
}

absl::StatusOr<std::string> Streamed(const Tokenizer& tokenizer, absl::Span<const TokenId> ids,
                                     SpecialTokens specials) {
  StreamDecoder decoder(tokenizer, specials);
  std::string text;
  const auto add = [&](const std::string& piece) {
    text += piece;
    return IsValidUtf8(piece);
  };
  for (const TokenId id : ids) {
    if (!add(decoder.Push(id))) return absl::InternalError("a streamed piece is no valid UTF-8");
  }
  if (!add(decoder.Finish())) return absl::InternalError("the last piece is no valid UTF-8");
  return text;
}

absl::Status Decode(absl::string_view verb, const std::vector<std::string>& args) {
  TY_ASSIGN_OR_RETURN(const auto tokenizer, Load(args[0]));
  TY_ASSIGN_OR_RETURN(const std::string file, ReadFile(args[1]));
  const SpecialTokens specials =
      absl::EndsWith(verb, "-skip") ? SpecialTokens::kSkip : SpecialTokens::kKeep;
  std::string output;
  for (const absl::string_view record : Records(file, sizeof(TokenId))) {
    std::vector<TokenId> ids(record.size() / sizeof(TokenId));
    std::memcpy(ids.data(), record.data(), record.size());
    std::string text = tokenizer->Decode(ids, specials);
    if (absl::StartsWith(verb, "stream")) {
      TY_ASSIGN_OR_RETURN(text, Streamed(*tokenizer, ids, specials));
    }
    AppendRecord(text.data(), text.size(), 1, &output);
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
  for (const absl::string_view document : Records(file, 1)) trainer->Feed(document);
  TY_ASSIGN_OR_RETURN(TokenizerParts parts, trainer->Finish());
  TY_ASSIGN_OR_RETURN(const auto tokenizer, Tokenizer::Create(std::move(parts)));
  return WriteFileAtomically(args[2], TokenizerJson(*tokenizer));
}

absl::Status Convert(const std::vector<std::string>& args) {
  TY_ASSIGN_OR_RETURN(const auto tokenizer, Load(args[0]));
  return WriteFileAtomically(args[1], TokenizerJson(*tokenizer));
}

absl::Status Run(const std::string& verb, const std::vector<std::string>& args) {
  if (absl::StartsWith(verb, "encode") && args.size() == 3) return Encode(verb, args);
  if (absl::StartsWith(verb, "decode") && args.size() == 3) return Decode(verb, args);
  if (absl::StartsWith(verb, "stream") && args.size() == 3) return Decode(verb, args);
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
