// Byte-pair encoding (Sennrich et al. 2016) of one piece of text.

#ifndef TRAINYARD_TOKENIZER_BPE_H_
#define TRAINYARD_TOKENIZER_BPE_H_

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace trainyard::tokenizer {

using TokenId = int32_t;

struct BpeOptions {
  std::string unk_token;       // for characters that the vocabulary lacks; empty: they are dropped
  bool fuse_unk = false;       // one for a run of such characters
  bool byte_fallback = false;  // "<0xE4>" for each of their bytes instead, where all of them exist
  bool ignore_merges = false;  // a piece that is a token as a whole is never built by merges
  bool raw_bytes = false;      // pieces are bytes, each a character of the byte alphabet
};

// The merges of a vocabulary, ready to be applied. Immutable after Build, thread-safe.
class BpeModel {
 public:
  using Merges = std::vector<std::pair<TokenId, TokenId>>;

  // `tokens[id]` as in a tokenizer.json (byte-level ones in the byte alphabet), empty where no
  // token has the id; `merges` in order of rank. InvalidArgument when a merge's sides or result, or
  // the token for the unknown, are not in the vocabulary.
  absl::Status Build(const std::vector<std::string>& tokens, const Merges& merges,
                     const BpeOptions& options);

  // Appends the ids of `piece`: the pair of least rank is merged first, the leftmost of equals,
  // until none is left. O(n log n).
  void Encode(absl::string_view piece, std::vector<TokenId>* ids) const;

  // Appends parts of `piece` that Encode gives the same ids one by one: no merge crosses a cut.
  // Short parts can be remembered. For pieces of characters; raw bytes stay whole.
  void Cut(absl::string_view piece, std::vector<absl::string_view>* parts) const;

 private:
  struct Merge {
    int32_t rank;
    TokenId result;
  };
  static constexpr size_t kAscii = 128;

  void IndexCharacters(const std::vector<std::string>& tokens);
  void IndexBytes();
  const Merge* Find(TokenId left, TokenId right) const;
  // The token of one character, or kUnknown.
  TokenId CharacterId(char32_t c) const;
  bool CanJoin(char32_t left, char32_t right) const;
  size_t AppendKnown(absl::string_view piece, TokenId* symbols) const;
  void AppendSymbols(absl::string_view piece, std::vector<TokenId>* symbols) const;
  bool AppendFallback(absl::string_view character, std::vector<TokenId>* symbols) const;
  size_t MergeFew(TokenId* symbols, size_t size) const;
  void MergeMany(absl::Span<const TokenId> symbols, std::vector<TokenId>* ids) const;

  BpeOptions options_;
  absl::flat_hash_map<uint64_t, Merge> merges_;
  std::array<TokenId, kAscii> ascii_ids_{};
  std::array<TokenId, 256> byte_ids_{};                     // with raw_bytes
  absl::flat_hash_map<char32_t, TokenId> character_ids_;    // beyond ASCII
  std::vector<bool> joined_ascii_;                          // pairs that some merge joins
  absl::flat_hash_set<uint64_t> joined_;                    // the same beyond ASCII
  std::array<TokenId, 256> fallback_ids_{};                 // of "<0x00>" .. "<0xFF>"
  TokenId unk_id_ = -1;                                     // -1: none
  absl::flat_hash_map<std::string, TokenId> whole_pieces_;  // only with ignore_merges
};

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TOKENIZER_BPE_H_
