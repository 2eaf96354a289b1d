#include "tokenizer/bpe.h"

#include <algorithm>
#include <functional>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/utf8.h"

namespace trainyard::tokenizer {
namespace {

constexpr int32_t kNoRank = std::numeric_limits<int32_t>::max();
constexpr TokenId kUnknown = -1;
constexpr size_t kFew = 64;  // symbols

uint64_t PairKey(TokenId left, TokenId right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

uint64_t CharacterPair(char32_t left, char32_t right) {
  return static_cast<uint64_t>(left) << 32 | right;
}

bool IsOneCharacter(absl::string_view text) {
  return !text.empty() && text.size() == static_cast<size_t>(Utf8Length(text[0]));
}

char32_t LastCharacter(absl::string_view text) {
  size_t last = text.size() - 1;
  while ((static_cast<uint8_t>(text[last]) & 0xC0) == 0x80) --last;
  return DecodeUtf8(text.data() + last);
}

}  // namespace

absl::Status BpeModel::Build(const std::vector<std::string>& tokens, const Merges& merges,
                             const BpeOptions& options) {
  options_ = options;
  absl::flat_hash_map<absl::string_view, TokenId> ids;
  ids.reserve(tokens.size());
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (!tokens[id].empty()) ids[tokens[id]] = static_cast<TokenId>(id);
  }
  const auto find = [&ids](absl::string_view token) {
    const auto found = ids.find(token);
    return found == ids.end() ? kUnknown : found->second;
  };
  IndexCharacters(tokens);
  joined_ascii_.assign(kAscii * kAscii, false);
  merges_.reserve(merges.size());
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const auto [left, right] = merges[rank];
    const auto is_token = [&](TokenId id) {
      return id >= 0 && static_cast<size_t>(id) < tokens.size() && !tokens[id].empty();
    };
    if (!is_token(left) || !is_token(right)) {
      return absl::InvalidArgumentError(absl::StrCat("merge ", rank, " joins ids ", left, " and ",
                                                     right, ", which are not both tokens"));
    }
    const std::string joined = tokens[left] + tokens[right];
    const TokenId result = find(joined);
    if (result == kUnknown) {
      return absl::InvalidArgumentError(
          absl::StrCat("merge ", rank, " makes \"", joined, "\", which the vocabulary lacks"));
    }
    merges_[PairKey(left, right)] = Merge{static_cast<int32_t>(rank), result};
    const char32_t a = LastCharacter(tokens[left]), b = DecodeUtf8(tokens[right].data());
    if (a < kAscii && b < kAscii) {
      joined_ascii_[a * kAscii + b] = true;
    } else {
      joined_.insert(CharacterPair(a, b));
    }
  }
  for (int byte = 0; byte < 256; ++byte) {
    fallback_ids_[byte] = find(absl::StrFormat("<0x%02X>", byte));
  }
  if (options.raw_bytes) IndexBytes();
  if (!options.unk_token.empty()) {
    unk_id_ = find(options.unk_token);
    if (unk_id_ == kUnknown) {
      return absl::InvalidArgumentError(
          absl::StrCat("unk_token \"", options.unk_token, "\" is not in the model's vocabulary"));
    }
  }
  if (options.ignore_merges) {
    for (const auto& [token, id] : ids) {
      const auto bytes = options.raw_bytes ? AlphabetToBytes(token) : std::string(token);
      if (bytes.has_value()) whole_pieces_[*bytes] = id;
    }
  }
  return absl::OkStatus();
}

void BpeModel::IndexCharacters(const std::vector<std::string>& tokens) {
  ascii_ids_.fill(kUnknown);
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (!IsOneCharacter(tokens[id])) continue;
    const char32_t c = DecodeUtf8(tokens[id].data());
    (c < kAscii ? ascii_ids_[c] : character_ids_[c]) = static_cast<TokenId>(id);
  }
}

void BpeModel::IndexBytes() {
  for (int byte = 0; byte < 256; ++byte) {
    const char raw = static_cast<char>(byte);
    byte_ids_[byte] = CharacterId(DecodeUtf8(BytesToAlphabet({&raw, 1}).data()));
  }
}

const BpeModel::Merge* BpeModel::Find(TokenId left, TokenId right) const {
  const auto found = merges_.find(PairKey(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

TokenId BpeModel::CharacterId(char32_t c) const {
  if (c < kAscii) return ascii_ids_[c];
  const auto found = character_ids_.find(c);
  return found == character_ids_.end() ? kUnknown : found->second;
}

bool BpeModel::CanJoin(char32_t left, char32_t right) const {
  if (left < kAscii && right < kAscii) return joined_ascii_[left * kAscii + right];
  return joined_.contains(CharacterPair(left, right));
}

void BpeModel::Cut(absl::string_view piece, std::vector<absl::string_view>* parts) const {
  if (options_.raw_bytes || options_.ignore_merges) {
    parts->push_back(piece);
    return;
  }
  size_t begin = 0;
  char32_t previous = 0;
  for (size_t at = 0; at < piece.size(); at += Utf8Length(piece[at])) {
    const char32_t c = DecodeUtf8(piece.data() + at);
    // Beside an unknown character nothing is cut: a run of them may be one token.
    if (at > begin && !CanJoin(previous, c) && CharacterId(previous) != kUnknown &&
        CharacterId(c) != kUnknown) {
      parts->push_back(piece.substr(begin, at - begin));
      begin = at;
    }
    previous = c;
  }
  parts->push_back(piece.substr(begin));
}

void BpeModel::Encode(absl::string_view piece, std::vector<TokenId>* ids) const {
  if (!whole_pieces_.empty()) {
    if (const auto found = whole_pieces_.find(piece); found != whole_pieces_.end()) {
      ids->push_back(found->second);
      return;
    }
  }
  if (piece.size() <= kFew) {
    TokenId symbols[kFew];
    const size_t size = AppendKnown(piece, symbols);
    if (size > 0) {
      ids->insert(ids->end(), symbols, symbols + MergeFew(symbols, size));
      return;
    }
  }
  std::vector<TokenId> symbols;
  AppendSymbols(piece, &symbols);
  if (symbols.size() <= kFew) {
    symbols.resize(MergeFew(symbols.data(), symbols.size()));
    ids->insert(ids->end(), symbols.begin(), symbols.end());
  } else {
    MergeMany(symbols, ids);
  }
}

// The characters of a short piece; 0 when one is not in the vocabulary.
size_t BpeModel::AppendKnown(absl::string_view piece, TokenId* symbols) const {
  size_t size = 0;
  TokenId lowest = 0;
  if (options_.raw_bytes) {
    for (const char byte : piece) {
      symbols[size] = byte_ids_[static_cast<uint8_t>(byte)];
      lowest = std::min(lowest, symbols[size++]);
    }
  } else {
    for (size_t at = 0; at < piece.size(); at += Utf8Length(piece[at])) {
      symbols[size] = CharacterId(DecodeUtf8(piece.data() + at));
      lowest = std::min(lowest, symbols[size++]);
    }
  }
  return lowest < 0 ? 0 : size;
}

bool BpeModel::AppendFallback(absl::string_view character, std::vector<TokenId>* symbols) const {
  const size_t size = symbols->size();
  for (const char byte : character) {
    const TokenId id = fallback_ids_[static_cast<uint8_t>(byte)];
    if (id == kUnknown) {
      symbols->resize(size);
      return false;
    }
    symbols->push_back(id);
  }
  return true;
}

// As Hugging Face does it: an unknown character's token waits for the next one that is known, so
// that bytes that stand in for others may come before it.
void BpeModel::AppendSymbols(absl::string_view piece, std::vector<TokenId>* symbols) const {
  std::string in_alphabet;
  if (options_.raw_bytes) {
    in_alphabet = BytesToAlphabet(piece);
    piece = in_alphabet;
  }
  bool unk_waits = false;
  for (size_t at = 0; at < piece.size(); at += Utf8Length(piece[at])) {
    const TokenId id = CharacterId(DecodeUtf8(piece.data() + at));
    if (id != kUnknown) {
      if (unk_waits) symbols->push_back(unk_id_);
      unk_waits = false;
      symbols->push_back(id);
      continue;
    }
    if (options_.byte_fallback &&
        AppendFallback(piece.substr(at, Utf8Length(piece[at])), symbols)) {
      continue;
    }
    if (unk_id_ == kUnknown) continue;
    if (unk_waits && !options_.fuse_unk) symbols->push_back(unk_id_);
    unk_waits = true;
  }
  if (unk_waits) symbols->push_back(unk_id_);
}

// Quadratic in the length, which is small: arrays on the stack beat a heap.
size_t BpeModel::MergeFew(TokenId* symbols, size_t size) const {
  int32_t ranks[kFew];  // of the pair (i, i + 1)
  TokenId results[kFew];
  int count = static_cast<int>(size);
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
  return static_cast<size_t>(count);
}

// A heap of (rank, place) in one number each; one that no longer says what its place holds is
// dropped when it comes up.
void BpeModel::MergeMany(absl::Span<const TokenId> symbol_ids, std::vector<TokenId>* ids) const {
  struct Symbol {
    TokenId id;
    int32_t previous, next;  // -1: none
    Merge merge;             // with the next one
  };
  const int32_t size = static_cast<int32_t>(symbol_ids.size());
  std::vector<Symbol> symbols(size);
  const auto rank_pair = [&](int32_t left) {
    Symbol& symbol = symbols[left];
    const Merge* merge = symbol.next < 0 ? nullptr : Find(symbol.id, symbols[symbol.next].id);
    symbol.merge = merge == nullptr ? Merge{kNoRank, kUnknown} : *merge;
    return static_cast<uint64_t>(symbol.merge.rank) << 32 | static_cast<uint32_t>(left);
  };
  constexpr uint64_t kNoPair = static_cast<uint64_t>(kNoRank) << 32;
  for (int32_t i = 0; i < size; ++i) {
    symbols[i] = {symbol_ids[i], i - 1, i + 1 < size ? i + 1 : -1, {}};
  }
  std::vector<uint64_t> heap;
  for (int32_t i = 0; i < size; ++i) {
    const uint64_t pair = rank_pair(i);
    if (pair < kNoPair) heap.push_back(pair);
  }
  std::make_heap(heap.begin(), heap.end(), std::greater<>());
  const auto consider = [&](int32_t left) {
    const uint64_t pair = rank_pair(left);
    if (pair >= kNoPair) return;
    heap.push_back(pair);
    std::push_heap(heap.begin(), heap.end(), std::greater<>());
  };
  while (!heap.empty()) {
    const uint64_t top = heap.front();
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    heap.pop_back();
    const int32_t place = static_cast<int32_t>(static_cast<uint32_t>(top));
    Symbol& left = symbols[place];
    if (left.merge.rank != static_cast<int32_t>(top >> 32)) continue;
    Symbol& right = symbols[left.next];
    left.id = left.merge.result;
    left.next = right.next;
    right.merge.rank = kNoRank;  // gone
    if (left.next >= 0) symbols[left.next].previous = place;
    consider(place);
    if (left.previous >= 0) consider(left.previous);
  }
  for (int32_t i = 0; i >= 0; i = symbols[i].next) ids->push_back(symbols[i].id);
}

}  // namespace trainyard::tokenizer
