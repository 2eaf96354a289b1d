#include "tokenizer/bpe_trainer.h"

#include <algorithm>
#include <queue>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/utf8.h"

namespace trainyard::tokenizer {
namespace {

uint64_t PairKey(TokenId left, TokenId right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}
TokenId LeftOf(uint64_t key) { return static_cast<TokenId>(key >> 32); }
TokenId RightOf(uint64_t key) { return static_cast<TokenId>(key & 0xFFFFFFFF); }

// The distinct pieces as sequences of ids, and where each pair of neighbours stands in them. Counts
// are kept up to date merge by merge (Sennrich et al. 2016); a heap gives the next pair, corrected
// lazily when its count has fallen since it was pushed.
class PairMerger {
 public:
  explicit PairMerger(TokenizerParts* parts) : parts_(*parts) {
    for (size_t id = 0; id < parts_.token_bytes.size(); ++id) {
      ids_of_bytes_[parts_.token_bytes[id]] = static_cast<TokenId>(id);
    }
    for (const AddedToken& token : parts_.added) taken_.insert(token.content);
  }

  void AddWord(absl::string_view bytes, int64_t count, const std::vector<TokenId>& byte_ids) {
    Word word{symbols_.size(), static_cast<uint32_t>(bytes.size()), count};
    for (const char byte : bytes) symbols_.push_back(byte_ids[static_cast<uint8_t>(byte)]);
    const uint32_t index = static_cast<uint32_t>(words_.size());
    words_.push_back(word);
    for (size_t i = 0; i + 1 < bytes.size(); ++i) {
      Change(symbols_[word.begin + i], symbols_[word.begin + i + 1], count, index);
    }
  }

  void Run(int32_t vocabulary_size, int64_t min_frequency) {
    for (const auto& [key, pair] : pairs_) heap_.push({pair.count, key});
    while (parts_.token_bytes.size() < vocabulary_size && !heap_.empty()) {
      const Candidate top = heap_.top();
      heap_.pop();
      const auto found = pairs_.find(top.key);
      if (found == pairs_.end()) continue;
      if (found->second.count != top.count) {
        if (found->second.count > 0) heap_.push({found->second.count, top.key});
        continue;
      }
      if (top.count < min_frequency || top.count < 1) break;
      const std::vector<uint32_t> words = std::move(found->second.words);
      pairs_.erase(found);
      Merge(top.key, words);
    }
  }

 private:
  struct Word {
    size_t begin;
    uint32_t length;
    int64_t count;
  };
  struct Pair {
    int64_t count = 0;
    std::vector<uint32_t> words;  // that hold it, or held it
  };
  struct Candidate {
    int64_t count;
    uint64_t key;
    bool operator<(const Candidate& other) const {
      return count != other.count ? count < other.count : key > other.key;
    }
  };

  void Change(TokenId left, TokenId right, int64_t by, uint32_t word) {
    Pair& pair = pairs_[PairKey(left, right)];
    pair.count += by;
    if (by > 0 && (pair.words.empty() || pair.words.back() != word)) pair.words.push_back(word);
  }

  void Merge(uint64_t key, const std::vector<uint32_t>& words) {
    const TokenId left = LeftOf(key), right = RightOf(key);
    const std::string joined = parts_.token_bytes[left] + parts_.token_bytes[right];
    if (taken_.contains(joined)) return;  // a special token's text never becomes a merge
    const auto [place, is_new] =
        ids_of_bytes_.insert({joined, static_cast<TokenId>(parts_.token_bytes.size())});
    const TokenId result = place->second;
    if (is_new) parts_.token_bytes.push_back(joined);
    parts_.merges.push_back({left, right});
    risen_.clear();
    for (const uint32_t word : words) MergeInWord(word, left, right, result);
    std::sort(risen_.begin(), risen_.end());
    risen_.erase(std::unique(risen_.begin(), risen_.end()), risen_.end());
    for (const uint64_t risen : risen_) {
      const auto found = pairs_.find(risen);
      if (found != pairs_.end() && found->second.count > 0) {
        heap_.push({found->second.count, risen});
      }
    }
  }

  void MergeInWord(uint32_t index, TokenId left, TokenId right, TokenId result) {
    Word& word = words_[index];
    TokenId* symbols = symbols_.data() + word.begin;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < word.length; ++i) {
      if (symbols[i] != left || i + 1 == word.length || symbols[i + 1] != right) {
        symbols[kept++] = symbols[i];
        continue;
      }
      if (kept > 0) {
        Change(symbols[kept - 1], left, -word.count, index);
        Change(symbols[kept - 1], result, word.count, index);
        risen_.push_back(PairKey(symbols[kept - 1], result));
      }
      if (i + 2 < word.length) {
        Change(right, symbols[i + 2], -word.count, index);
        Change(result, symbols[i + 2], word.count, index);
        risen_.push_back(PairKey(result, symbols[i + 2]));
      }
      symbols[kept++] = result;
      ++i;
    }
    word.length = kept;
  }

  TokenizerParts& parts_;
  absl::flat_hash_map<std::string, TokenId> ids_of_bytes_;
  absl::flat_hash_set<std::string> taken_;
  std::vector<TokenId> symbols_;  // of all words
  std::vector<Word> words_;
  absl::flat_hash_map<uint64_t, Pair> pairs_;
  std::priority_queue<Candidate> heap_;
  std::vector<uint64_t> risen_;  // pairs whose counts a merge has raised
};

}  // namespace

absl::StatusOr<std::unique_ptr<BpeTrainer>> BpeTrainer::Create(BpeTrainerOptions options) {
  const size_t least = options.special_tokens.size() + 256;
  if (options.vocabulary_size < static_cast<int64_t>(least)) {
    return absl::InvalidArgumentError(absl::StrCat("vocab_size ", options.vocabulary_size,
                                                   " is too small: ", options.special_tokens.size(),
                                                   " special tokens and 256 bytes need ", least));
  }
  absl::flat_hash_set<std::string> seen;
  for (const std::string& special : options.special_tokens) {
    if (special.size() < 2 || !seen.insert(special).second) {
      return absl::InvalidArgumentError(absl::StrCat(
          "special token \"", special, "\" is ",
          special.size() < 2 ? "shorter than 2 bytes: it would stand for text" : "given twice"));
    }
  }
  std::unique_ptr<BpeTrainer> trainer(new BpeTrainer(std::move(options)));
  TY_ASSIGN_OR_RETURN(trainer->pattern_, MakeRegexPattern(trainer->options_.pattern));
  return trainer;
}

void BpeTrainer::Feed(absl::string_view text) {
  std::string valid;
  if (!IsValidUtf8(text)) text = valid = ReplaceInvalidUtf8(text);
  pieces_.clear();
  pattern_->Isolate(text, &pieces_);
  for (const absl::string_view piece : pieces_) ++counts_[piece];
}

absl::StatusOr<TokenizerParts> BpeTrainer::Finish() {
  if (counts_.empty()) {
    return absl::FailedPreconditionError("no text to train a tokenizer on: every source is empty");
  }
  TokenizerParts parts;
  parts.pattern = options_.pattern;
  for (const std::string& special : options_.special_tokens) {
    parts.added.push_back({static_cast<TokenId>(parts.token_bytes.size()), special, true});
    parts.token_bytes.emplace_back();
  }
  std::vector<TokenId> byte_ids(256);
  for (const uint8_t byte : BytesInAlphabetOrder()) {
    byte_ids[byte] = static_cast<TokenId>(parts.token_bytes.size());
    parts.token_bytes.emplace_back(1, static_cast<char>(byte));
  }
  PairMerger merger(&parts);
  for (const auto& [piece, count] : counts_) merger.AddWord(piece, count, byte_ids);
  counts_.clear();
  merger.Run(options_.vocabulary_size, options_.min_frequency);
  return parts;
}

}  // namespace trainyard::tokenizer
