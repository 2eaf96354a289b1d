// The algorithm of byte-pair encoding (Sennrich et al. 2016) on one piece of bytes.

#ifndef TRAINYARD_TOKENIZER_BPE_H_
#define TRAINYARD_TOKENIZER_BPE_H_

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace trainyard::tokenizer {

using TokenId = int32_t;

// The merges of a vocabulary, ready to be applied. Immutable after Build.
class BpeMerges {
 public:
  // `token_bytes[id]` are the bytes of an id; `merges` in order of rank. InvalidArgument when one
  // of the 256 bytes has no token, or a merge's result is not in the vocabulary.
  absl::Status Build(const std::vector<std::string>& token_bytes,
                     absl::Span<const std::pair<TokenId, TokenId>> merges, bool ignore_merges);

  // Appends the ids of `piece`: the pair of least rank is merged first, the leftmost of equals,
  // until none is left. O(n log n).
  void Encode(absl::string_view piece, std::vector<TokenId>* ids) const;

 private:
  struct Merge {
    int32_t rank;
    TokenId result;
  };
  const Merge* Find(TokenId left, TokenId right) const;
  void EncodeShort(absl::string_view piece, std::vector<TokenId>* ids) const;
  void EncodeLong(absl::string_view piece, std::vector<TokenId>* ids) const;

  std::array<TokenId, 256> byte_ids_{};
  absl::flat_hash_map<uint64_t, Merge> merges_;
  absl::flat_hash_map<std::string, TokenId> whole_pieces_;  // only with ignore_merges
};

// The ids of pieces seen before. Bounded: it is emptied when full. Owned by one thread.
class PieceCache {
 public:
  PieceCache();
  // The ids of `piece`, or null.
  const std::vector<TokenId>* Find(absl::string_view piece) const;
  void Insert(absl::string_view piece, absl::Span<const TokenId> ids);

 private:
  absl::flat_hash_map<std::string, std::vector<TokenId>> entries_;
};

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TOKENIZER_BPE_H_
