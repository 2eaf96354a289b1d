// The algorithm of byte-pair encoding (Sennrich et al. 2016) on one piece of bytes.

#ifndef TRAINYARD_TOKENIZER_BPE_H_
#define TRAINYARD_TOKENIZER_BPE_H_

#include <array>
#include <cstdint>
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

// The ids of short pieces seen before: a table of fixed size in which a new piece takes the place
// of an old one. Owned by one thread.
class PieceCache {
 public:
  static constexpr size_t kMaxPieceBytes = 16;
  static constexpr size_t kMaxIds = 11;

  PieceCache();
  // Appends the ids of `piece` when it is known; else false.
  bool Append(absl::string_view piece, std::vector<TokenId>* ids) const;
  // Remembers the ids of `piece` when both are short enough.
  void Insert(absl::string_view piece, absl::Span<const TokenId> ids);

 private:
  struct Slot {                  // one cache line
    uint64_t low = 0, high = 0;  // the piece's bytes; with its length they are unambiguous
    uint16_t length = 0, id_count = 0;
    std::array<TokenId, kMaxIds> ids{};
  };
  static_assert(sizeof(Slot) == 64);
  static Slot KeyOf(absl::string_view piece);
  static size_t IndexOf(const Slot& key);

  std::vector<Slot> slots_;
};

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TOKENIZER_BPE_H_
