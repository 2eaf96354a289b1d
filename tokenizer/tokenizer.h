// Byte-level byte-pair encoding: text to token ids and back. Any bytes round-trip.

#ifndef TRAINYARD_TOKENIZER_TOKENIZER_H_
#define TRAINYARD_TOKENIZER_TOKENIZER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tokenizer/bpe.h"
#include "tokenizer/pretokenizer.h"

namespace trainyard::tokenizer {

// A token that merges never make: found as a whole in text that may hold such tokens, else not.
struct AddedToken {
  TokenId id = 0;
  std::string content;
  bool special = true;  // special ones can be left out when decoding
};

// Everything that defines a tokenizer.
struct TokenizerParts {
  // The bytes of each id; empty where no BPE token has the id. Create fills in added tokens.
  std::vector<std::string> token_bytes;
  std::vector<std::pair<TokenId, TokenId>> merges;  // in order of rank
  std::vector<AddedToken> added;
  std::string pattern = kGpt2Pattern;
  bool add_prefix_space = false;
  bool ignore_merges = false;  // a piece that is a token as a whole is never built by merges
};

enum class SpecialTokens { kKeep, kSkip };
enum class AddedTokens { kAsText, kParse };

// Immutable, thread-safe. Ids are 0 .. vocabulary_size() - 1.
class Tokenizer {
 public:
  // InvalidArgument names the merge, id or content that is wrong.
  static absl::StatusOr<std::shared_ptr<const Tokenizer>> Create(TokenizerParts parts);

  // Encodes user text: whatever looks like a special token in it stays text.
  std::vector<TokenId> Encode(absl::string_view text) const;
  // Encodes trusted text: the longest added token at each place becomes its id.
  std::vector<TokenId> EncodeWithAdded(absl::string_view text) const;

  // The bytes of `ids`. May be broken UTF-8 where the ids are; see StreamDecoder. Ids outside the
  // vocabulary, and ids without a token, stand for nothing.
  std::string Decode(absl::Span<const TokenId> ids, SpecialTokens specials) const;

  // The bytes that one id stands for, an added token's content included.
  absl::string_view TokenBytes(TokenId id) const;
  bool IsSpecial(TokenId id) const;
  // The id of the added token with this content.
  std::optional<TokenId> AddedId(absl::string_view content) const;
  // The same; InvalidArgument lists the added tokens there are.
  absl::StatusOr<TokenId> RequireAddedId(absl::string_view content) const;

  // One more than the highest id: the least number of rows of an embedding.
  int32_t vocabulary_size() const { return static_cast<int32_t>(parts_.token_bytes.size()); }
  // SHA-256 (hex) over everything that changes an id: equal hashes give equal ids.
  const std::string& hash() const { return hash_; }
  const TokenizerParts& parts() const { return parts_; }

  // Appends the ids of `text`; `cache`, which may be null, must serve this tokenizer alone.
  void Append(absl::string_view text, AddedTokens added, PieceCache* cache,
              std::vector<TokenId>* ids) const;

 private:
  explicit Tokenizer(TokenizerParts parts) : parts_(std::move(parts)) {}
  absl::Status Index();
  // The longest added token at the start of `text`, or null.
  const AddedToken* AddedAt(absl::string_view text) const;
  void AppendText(absl::string_view text, PieceCache* cache, std::vector<TokenId>* ids) const;

  TokenizerParts parts_;
  BpeMerges merges_;
  std::unique_ptr<Pretokenizer> pretokenizer_;
  std::string hash_;
  std::vector<AddedToken> added_by_length_;  // longest first
  std::vector<bool> starts_added_;           // by first byte
  absl::flat_hash_map<std::string, TokenId> added_ids_;
  std::vector<bool> special_;  // by id
};

// Encodes much text: remembers the ids of the pieces it has seen, in bounded memory. Gives the
// same ids as the tokenizer. Owned by one thread; the tokenizer must outlive it.
class Encoder {
 public:
  explicit Encoder(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  // Appends the ids of user text (special look-alikes stay text).
  void Encode(absl::string_view text, std::vector<TokenId>* ids) {
    tokenizer_.Append(text, AddedTokens::kAsText, &cache_, ids);
  }
  // Appends the ids of trusted text (added tokens are found).
  void EncodeWithAdded(absl::string_view text, std::vector<TokenId>* ids) {
    tokenizer_.Append(text, AddedTokens::kParse, &cache_, ids);
  }

 private:
  const Tokenizer& tokenizer_;
  PieceCache cache_;
};

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TOKENIZER_TOKENIZER_H_
