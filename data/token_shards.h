// Token shards: tokenized documents on disk, read through memory maps.
//
// A directory: manifest.json (written last) and shard-00000.tokens, .offsets, ... Tokens are
// little-endian uint16 when every id fits, else uint32; offsets are uint64, one more than
// documents.

#ifndef TRAINYARD_DATA_TOKEN_SHARDS_H_
#define TRAINYARD_DATA_TOKEN_SHARDS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "data/source.h"
#include "tokenizer/tokenizer.h"

namespace trainyard::data {

struct TokenShardsOptions {
  std::string directory;               // must not hold a manifest yet
  int64_t shard_tokens = 100'000'000;  // a shard is closed once it holds so many
  int threads = 1;                     // that encode; the shards do not depend on it
};

struct TokenShardsCounts {
  int64_t documents = 0;
  int64_t tokens = 0;
  int64_t bad_rows = 0;
};

// Tokenizes every document of `sources` ({"text"} rows or text files) into shards; end tokens are
// not stored, the reader puts them between documents. Durable when it returns. AlreadyExists when
// the directory has a manifest; errors of ReadDocuments.
absl::StatusOr<TokenShardsCounts> WriteTokenShards(const std::vector<SourceSpec>& sources,
                                                   const tokenizer::Tokenizer& tokenizer,
                                                   const TokenShardsOptions& options);

// Immutable, thread-safe. Holds the maps.
class TokenShards {
 public:
  enum class Verify { kSizes, kChecksums };

  // DataLoss names the shard whose size or checksum differs from the manifest. FailedPrecondition
  // when the shards were made by another tokenizer. NotFound: no manifest.
  static absl::StatusOr<std::unique_ptr<TokenShards>> Open(const std::string& directory,
                                                           const std::string& tokenizer_hash,
                                                           Verify verify);
  ~TokenShards();

  int64_t document_count() const;
  int64_t token_count() const;
  int64_t DocumentTokens(int64_t document) const;
  // Appends tokens [begin, end) of a document.
  void Append(int64_t document, int64_t begin, int64_t end, std::vector<int32_t>* ids) const;
  // XXH3 of the manifest: changes with any shard.
  const std::string& fingerprint() const;

 private:
  struct State;
  explicit TokenShards(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace trainyard::data

#endif  // TRAINYARD_DATA_TOKEN_SHARDS_H_
