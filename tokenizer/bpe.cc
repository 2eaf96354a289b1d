#include "tokenizer/bpe.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <queue>
#include <string>

#include "absl/strings/str_cat.h"

namespace trainyard::tokenizer {
namespace {

constexpr int32_t kNoRank = std::numeric_limits<int32_t>::max();
constexpr size_t kShortPieceBytes = 64;
constexpr int kCacheBits = 15;

uint64_t PairKey(TokenId left, TokenId right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

uint64_t Load64(const char* at) {
  uint64_t value;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

uint64_t Load32(const char* at) {
  uint32_t value;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

}  // namespace

absl::Status BpeMerges::Build(const std::vector<std::string>& token_bytes,
                              absl::Span<const std::pair<TokenId, TokenId>> merges,
                              bool ignore_merges) {
  absl::flat_hash_map<absl::string_view, TokenId> ids;
  for (size_t id = 0; id < token_bytes.size(); ++id) {
    if (!token_bytes[id].empty()) ids[token_bytes[id]] = static_cast<TokenId>(id);
  }
  for (int byte = 0; byte < 256; ++byte) {
    const char character = static_cast<char>(byte);
    const auto found = ids.find(absl::string_view(&character, 1));
    if (found == ids.end()) {
      return absl::InvalidArgumentError(absl::StrCat("the vocabulary has no token for byte ", byte,
                                                     ": it is not byte-level BPE"));
    }
    byte_ids_[byte] = found->second;
  }
  merges_.reserve(merges.size());
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const auto [left, right] = merges[rank];
    const auto in_range = [&](TokenId id) { return id >= 0 && id < token_bytes.size(); };
    if (!in_range(left) || !in_range(right)) {
      return absl::InvalidArgumentError(absl::StrCat("merge ", rank, " joins ids ", left, " and ",
                                                     right, ", outside of the vocabulary of ",
                                                     token_bytes.size()));
    }
    const std::string joined = token_bytes[left] + token_bytes[right];
    const auto found = ids.find(joined);
    if (found == ids.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("merge ", rank, " makes \"", joined, "\", which the vocabulary lacks"));
    }
    merges_[PairKey(left, right)] = Merge{static_cast<int32_t>(rank), found->second};
  }
  if (ignore_merges) whole_pieces_.insert(ids.begin(), ids.end());
  return absl::OkStatus();
}

const BpeMerges::Merge* BpeMerges::Find(TokenId left, TokenId right) const {
  const auto found = merges_.find(PairKey(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

void BpeMerges::Encode(absl::string_view piece, std::vector<TokenId>* ids) const {
  if (!whole_pieces_.empty()) {
    if (const auto found = whole_pieces_.find(piece); found != whole_pieces_.end()) {
      ids->push_back(found->second);
      return;
    }
  }
  if (piece.size() <= kShortPieceBytes) {
    EncodeShort(piece, ids);
  } else {
    EncodeLong(piece, ids);
  }
}

// Quadratic in the length, which is small: arrays on the stack beat a heap.
void BpeMerges::EncodeShort(absl::string_view piece, std::vector<TokenId>* ids) const {
  TokenId symbols[kShortPieceBytes];
  int32_t ranks[kShortPieceBytes];  // of the pair (i, i + 1)
  TokenId results[kShortPieceBytes];
  int count = static_cast<int>(piece.size());
  for (int i = 0; i < count; ++i) symbols[i] = byte_ids_[static_cast<uint8_t>(piece[i])];
  const auto rank_pair = [&](int i) {
    const Merge* merge = i + 1 < count ? Find(symbols[i], symbols[i + 1]) : nullptr;
    ranks[i] = merge == nullptr ? kNoRank : merge->rank;
    results[i] = merge == nullptr ? 0 : merge->result;
  };
  for (int i = 0; i < count; ++i) rank_pair(i);
  while (count > 1) {
    const int best = static_cast<int>(std::min_element(ranks, ranks + count) - ranks);
    if (ranks[best] == kNoRank) break;
    symbols[best] = results[best];
    std::move(symbols + best + 2, symbols + count, symbols + best + 1);
    std::move(ranks + best + 2, ranks + count, ranks + best + 1);
    std::move(results + best + 2, results + count, results + best + 1);
    --count;
    rank_pair(best);
    if (best > 0) rank_pair(best - 1);
  }
  ids->insert(ids->end(), symbols, symbols + count);
}

void BpeMerges::EncodeLong(absl::string_view piece, std::vector<TokenId>* ids) const {
  struct Symbol {
    TokenId id;
    int32_t previous, next;  // -1: none
  };
  struct Candidate {
    int32_t rank, left;
    TokenId left_id, right_id, result;
    bool operator<(const Candidate& other) const {  // the queue's top is the greatest
      return rank != other.rank ? rank > other.rank : left > other.left;
    }
  };
  const int32_t size = static_cast<int32_t>(piece.size());
  std::vector<Symbol> symbols(size);
  for (int32_t i = 0; i < size; ++i) {
    symbols[i] = {byte_ids_[static_cast<uint8_t>(piece[i])], i - 1, i + 1 < size ? i + 1 : -1};
  }
  std::priority_queue<Candidate> queue;
  const auto consider = [&](int32_t left) {
    if (left < 0 || symbols[left].next < 0) return;
    const TokenId left_id = symbols[left].id, right_id = symbols[symbols[left].next].id;
    if (const Merge* merge = Find(left_id, right_id)) {
      queue.push({merge->rank, left, left_id, right_id, merge->result});
    }
  };
  for (int32_t i = 0; i + 1 < size; ++i) consider(i);
  constexpr TokenId kGone = -1;
  while (!queue.empty()) {
    const Candidate top = queue.top();
    queue.pop();
    Symbol& left = symbols[top.left];
    if (left.id != top.left_id || left.next < 0) continue;
    Symbol& right = symbols[left.next];
    if (right.id != top.right_id) continue;
    left.id = top.result;
    right.id = kGone;
    left.next = right.next;
    if (left.next >= 0) symbols[left.next].previous = top.left;
    consider(left.previous);
    consider(top.left);
  }
  for (int32_t i = 0; i >= 0; i = symbols[i].next) ids->push_back(symbols[i].id);
}

PieceCache::PieceCache() : slots_(size_t{1} << kCacheBits) {}

// Overlapping loads: with the length they tell any two pieces of up to 16 bytes apart.
PieceCache::Slot PieceCache::KeyOf(absl::string_view piece) {
  Slot key;
  const size_t size = piece.size();
  const char* bytes = piece.data();
  key.length = static_cast<uint16_t>(size);
  if (size >= 8) {
    key.low = Load64(bytes);
    key.high = Load64(bytes + size - 8);
  } else if (size >= 4) {
    key.low = Load32(bytes) | Load32(bytes + size - 4) << 32;
  } else {
    for (size_t i = 0; i < size; ++i) {
      key.low |= static_cast<uint64_t>(static_cast<uint8_t>(bytes[i])) << (8 * i);
    }
  }
  return key;
}

size_t PieceCache::IndexOf(const Slot& key) {
  uint64_t mixed = (key.low ^ key.length) * 0x9E3779B97F4A7C15u;
  mixed = (mixed ^ (mixed >> 32) ^ key.high) * 0xD6E8FEB86659FD93u;
  return mixed >> (64 - kCacheBits);
}

bool PieceCache::Append(absl::string_view piece, std::vector<TokenId>* ids) const {
  if (piece.size() > kMaxPieceBytes) return false;
  const Slot key = KeyOf(piece);
  const Slot& slot = slots_[IndexOf(key)];
  if (slot.low != key.low || slot.high != key.high || slot.length != key.length) return false;
  ids->insert(ids->end(), slot.ids.data(), slot.ids.data() + slot.id_count);
  return true;
}

void PieceCache::Insert(absl::string_view piece, absl::Span<const TokenId> ids) {
  if (piece.empty() || piece.size() > kMaxPieceBytes || ids.size() > kMaxIds) return;
  Slot slot = KeyOf(piece);
  slot.id_count = static_cast<uint16_t>(ids.size());
  std::copy(ids.begin(), ids.end(), slot.ids.begin());
  slots_[IndexOf(slot)] = slot;
}

}  // namespace trainyard::tokenizer
