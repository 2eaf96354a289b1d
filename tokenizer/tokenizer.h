// Byte-pair encoding, from text to token ids and back, by the rules of Hugging Face's tokenizers.

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
#include "base/json.h"
#include "tokenizer/added_vocabulary.h"
#include "tokenizer/bpe.h"
#include "tokenizer/decoder.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/pattern.h"
#include "tokenizer/piece_cache.h"
#include "tokenizer/post_processor.h"
#include "tokenizer/pretokenizer.h"

namespace trainyard::tokenizer {

// Everything that defines a tokenizer, as a tokenizer.json says it.
struct TokenizerSpec {
  // By id; empty where the model's vocabulary has none. Byte-level ones are in the byte alphabet.
  std::vector<std::string> tokens;
  BpeModel::Merges merges;  // in order of rank
  BpeOptions bpe;           // raw_bytes follows from the pre-tokenizer
  // Those that `tokens` holds have its ids; the others get the next ones, in order, whatever their
  // `id` says: so does Hugging Face.
  std::vector<AddedToken> added;
  Json normalizer, pretokenizer, post_processor, decoder;  // null: none
};

// A byte-level tokenizer, in bytes.
struct TokenizerParts {
  // The bytes of each id; empty where no BPE token has the id. Create fills in added tokens.
  std::vector<std::string> token_bytes;
  BpeModel::Merges merges;  // in order of rank
  std::vector<AddedToken> added;
  std::string pattern = kGpt2Pattern;
  bool add_prefix_space = false;
  bool ignore_merges = false;  // a piece that is a token as a whole is never built by merges
};

enum class SpecialTokens { kKeep, kSkip };

// Immutable, thread-safe. Ids are 0 .. vocabulary_size() - 1. Bytes that are not UTF-8 count as
// U+FFFD, one for each maximal broken run, as for Rust's from_utf8_lossy.
class Tokenizer {
 public:
  // InvalidArgument names the merge, id, content or component that is wrong or not supported.
  static absl::StatusOr<std::shared_ptr<const Tokenizer>> Create(TokenizerSpec spec);
  static absl::StatusOr<std::shared_ptr<const Tokenizer>> Create(TokenizerParts parts);

  // Encodes user text: whatever looks like a special token in it stays text. Added tokens that are
  // not special are part of the vocabulary, and found.
  std::vector<TokenId> Encode(absl::string_view text) const;
  // Encodes trusted text: added tokens in it become their ids.
  std::vector<TokenId> EncodeWithAdded(absl::string_view text) const;
  // The same, with what the post-processor puts around a text: all that Hugging Face's encode does.
  std::vector<TokenId> EncodeWithTemplate(absl::string_view text) const;

  // The text of `ids`, always valid UTF-8: what Hugging Face's decode gives. Ids outside the
  // vocabulary, and ids without a token, stand for nothing.
  std::string Decode(absl::Span<const TokenId> ids, SpecialTokens specials) const;

  // The bytes that one id stands for in the midst of a text, an added token's content included;
  // they may be a part of a character.
  absl::string_view TokenBytes(TokenId id) const;
  // What the decoder gets for an id; null where there is no token.
  const std::string* TokenText(TokenId id) const;
  bool IsSpecial(TokenId id) const;
  // The id of the added token with this content.
  std::optional<TokenId> AddedId(absl::string_view content) const;
  // The same; InvalidArgument lists the added tokens there are.
  absl::StatusOr<TokenId> RequireAddedId(absl::string_view content) const;

  // One more than the highest id: the least number of rows of an embedding.
  int32_t vocabulary_size() const { return static_cast<int32_t>(token_bytes_.size()); }
  // SHA-256 (hex) over everything that changes an id: equal hashes give equal ids.
  const std::string& hash() const { return hash_; }
  const TokenizerSpec& spec() const { return spec_; }
  const Decoder& decoder() const { return decoder_; }

  // Appends the ids of `text`; `cache`, which may be null, must serve this tokenizer alone.
  void Append(absl::string_view text, AddedTokens added, PieceCache* cache,
              std::vector<TokenId>* ids) const;

 private:
  struct Target;  // where ids go
  explicit Tokenizer(TokenizerSpec spec) : spec_(std::move(spec)) {}
  absl::Status Build();
  void GiveIds();
  void IndexTokens();
  void AppendSection(absl::string_view text, bool is_first, const Target& target) const;
  void AppendPieces(Piece piece, const Target& target) const;
  void AppendPiece(absl::string_view piece, const Target& target) const;

  TokenizerSpec spec_;
  std::unique_ptr<Normalizer> normalizer_;
  PretokenizerChoice pretokenizer_;
  BpeModel model_;
  AddedVocabulary added_;
  PostProcessor post_processor_;
  Decoder decoder_;
  std::string hash_;
  std::vector<std::string> token_bytes_;  // by id
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
