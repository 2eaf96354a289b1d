// Remembers the ids of pieces: most of a text is pieces seen before.

#ifndef TRAINYARD_TOKENIZER_PIECE_CACHE_H_
#define TRAINYARD_TOKENIZER_PIECE_CACHE_H_

#include <array>
#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tokenizer/bpe.h"

namespace trainyard::tokenizer {

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

#endif  // TRAINYARD_TOKENIZER_PIECE_CACHE_H_
