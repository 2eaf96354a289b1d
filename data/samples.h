// The samples of one source, in memory or in token shards.

#ifndef TRAINYARD_DATA_SAMPLES_H_
#define TRAINYARD_DATA_SAMPLES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "data/token_shards.h"

namespace trainyard::data {

// The samples of one source, numbered from 0. Immutable and thread-safe once filled.
class SourceSamples {
 public:
  virtual ~SourceSamples() = default;
  virtual int64_t count() const = 0;
  virtual int64_t Tokens(int64_t sample) const = 0;
  // Tokens that are learnt when the sample is a segment of its own.
  virtual int64_t TrainedTokens(int64_t sample) const = 0;
  // Appends tokens [begin, end) of the sample, and their tokenizer::TokenFlags when `flags` is not
  // null.
  virtual void Append(int64_t sample, int64_t begin, int64_t end, std::vector<int32_t>* ids,
                      std::vector<uint8_t>* flags) const = 0;
  // XXH3 (hex) of all tokens, flags and borders.
  virtual std::string Fingerprint() const = 0;
};

// Samples that were tokenized at load.
class MemorySamples : public SourceSamples {
 public:
  MemorySamples() : offsets_{0} {}

  // Adds a sample; without `flags` every token is trained text. Before the object is shared.
  void Add(absl::Span<const int32_t> ids, absl::Span<const uint8_t> flags);

  int64_t count() const override { return static_cast<int64_t>(offsets_.size()) - 1; }
  int64_t Tokens(int64_t sample) const override { return offsets_[sample + 1] - offsets_[sample]; }
  int64_t TrainedTokens(int64_t sample) const override { return trained_[sample]; }
  void Append(int64_t sample, int64_t begin, int64_t end, std::vector<int32_t>* ids,
              std::vector<uint8_t>* flags) const override;
  std::string Fingerprint() const override;

 private:
  std::vector<int64_t> offsets_;
  std::vector<int32_t> ids_;
  std::vector<uint8_t> flags_;
  std::vector<int64_t> trained_;
};

// Documents of token shards, one directory after the other.
class ShardSamples : public SourceSamples {
 public:
  explicit ShardSamples(std::vector<std::unique_ptr<TokenShards>> directories);

  int64_t count() const override { return first_document_.back(); }
  int64_t Tokens(int64_t sample) const override;
  int64_t TrainedTokens(int64_t sample) const override { return Tokens(sample) - 1; }
  void Append(int64_t sample, int64_t begin, int64_t end, std::vector<int32_t>* ids,
              std::vector<uint8_t>* flags) const override;
  std::string Fingerprint() const override;

 private:
  // The directory of a document, and its number there.
  std::pair<const TokenShards*, int64_t> Locate(int64_t sample) const;

  const std::vector<std::unique_ptr<TokenShards>> directories_;
  std::vector<int64_t> first_document_;  // by directory, and the count of all
};

}  // namespace trainyard::data

#endif  // TRAINYARD_DATA_SAMPLES_H_
