// Tokens beside the model's vocabulary, which are found in a text before it is cut.

#ifndef TRAINYARD_TOKENIZER_ADDED_VOCABULARY_H_
#define TRAINYARD_TOKENIZER_ADDED_VOCABULARY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tokenizer/bpe.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/regex.h"

namespace trainyard::tokenizer {

// A token that merges never make: found as a whole in text that may hold such tokens, else not.
struct AddedToken {
  TokenId id = 0;
  std::string content;
  bool special = true;       // can be left out when decoding, and be text in what users write
  bool single_word = false;  // only where no character of a word is beside it
  bool lstrip = false;       // takes the white space before it along
  bool rstrip = false;       // and that behind it
  bool normalized = false;   // its normal form is looked for, in normal text
};

// `text` of a token, or the text between two (id: -1).
struct Section {
  absl::string_view text;
  TokenId id = -1;
};

// Strings by their beginning.
class TokenTrie {
 public:
  // An empty string is never found.
  void Insert(absl::string_view text, int32_t value);
  bool empty() const { return values_.empty(); }

  // The first place at or after `from` where a string stands, and the longest there.
  struct Found {
    size_t begin = 0, end = 0;
    int32_t value = -1;  // -1: none
  };
  Found FindNext(absl::string_view text, size_t from) const;

 private:
  absl::flat_hash_map<uint64_t, int32_t> children_;  // by node and byte
  absl::flat_hash_map<int32_t, int32_t> values_;     // by node
  std::vector<bool> starts_ = std::vector<bool>(256);
  int32_t nodes_ = 1;
};

enum class AddedTokens { kAsText, kParse };

// Immutable after Build, thread-safe.
class AddedVocabulary {
 public:
  // Ids must be those of the whole tokenizer; of two tokens with one content the last counts.
  // `normalizer` may be null.
  static absl::StatusOr<AddedVocabulary> Build(std::vector<AddedToken> tokens,
                                               const Normalizer* normalizer);

  // Appends the tokens in `text` and what is between them, by Hugging Face's rules: leftmost,
  // longest; one that is discarded (not a single word, or special where specials are text) hides
  // what overlaps it. `normal`: the tokens whose normal form counts, else the others.
  struct Search {
    bool normal = false;
    AddedTokens specials = AddedTokens::kParse;
  };
  void Find(absl::string_view text, Search search, std::vector<Section>* sections) const;
  // Whether Find can find anything.
  bool CanFind(Search search) const;

  // What an id is decoded from: the normal form of a token with `normalized`; null for other ids.
  const std::string* TextOf(TokenId id) const;
  bool IsSpecialText(absl::string_view text) const { return special_texts_.contains(text); }
  const std::vector<AddedToken>& tokens() const { return tokens_; }  // by id

 private:
  bool IsSingleWord(absl::string_view text, size_t begin, size_t end) const;

  std::vector<AddedToken> tokens_;
  absl::flat_hash_map<TokenId, std::string> texts_;
  absl::flat_hash_set<std::string> special_texts_;
  TokenTrie raw_, normal_;
  bool raw_has_plain_ = false, normal_has_plain_ = false;  // a token that is not special
  std::shared_ptr<const Regex> word_;                      // one character of a word
};

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TOKENIZER_ADDED_VOCABULARY_H_
