#include "tokenizer/piece_cache.h"

#include <algorithm>
#include <cstring>

namespace trainyard::tokenizer {
namespace {

constexpr int kCacheBits = 15;

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
