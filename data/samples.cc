#include "data/samples.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "tokenizer/chat_template.h"

namespace trainyard::data {
namespace {

template <typename T>
std::string HashOf(const std::vector<T>& values) {
  return Xxh3Hex(values.data(), values.size() * sizeof(T));
}

}  // namespace

void MemorySamples::Add(absl::Span<const int32_t> ids, absl::Span<const uint8_t> flags) {
  ids_.insert(ids_.end(), ids.begin(), ids.end());
  if (flags.empty()) {
    flags_.resize(ids_.size(), tokenizer::kTrained);
  } else {
    flags_.insert(flags_.end(), flags.begin(), flags.end());
  }
  const int64_t begin = offsets_.back(), end = static_cast<int64_t>(ids_.size());
  offsets_.push_back(end);
  int64_t trained = 0;  // the first token is nobody's target
  for (int64_t i = begin + 1; i < end; ++i) trained += flags_[i] & tokenizer::kTrained;
  trained_.push_back(trained);
}

void MemorySamples::Append(int64_t sample, int64_t begin, int64_t end, std::vector<int32_t>* ids,
                           std::vector<uint8_t>* flags) const {
  const int64_t first = offsets_[sample];
  ids->insert(ids->end(), ids_.begin() + first + begin, ids_.begin() + first + end);
  if (flags == nullptr) return;
  flags->insert(flags->end(), flags_.begin() + first + begin, flags_.begin() + first + end);
}

std::string MemorySamples::Fingerprint() const {
  return Xxh3Hex(absl::StrCat(HashOf(offsets_), HashOf(ids_), HashOf(flags_)));
}

ShardSamples::ShardSamples(std::vector<std::unique_ptr<TokenShards>> directories)
    : directories_(std::move(directories)), first_document_{0} {
  for (const auto& directory : directories_) {
    first_document_.push_back(first_document_.back() + directory->document_count());
  }
}

std::pair<const TokenShards*, int64_t> ShardSamples::Locate(int64_t sample) const {
  const auto next = std::upper_bound(first_document_.begin(), first_document_.end(), sample);
  const size_t directory = next - first_document_.begin() - 1;
  return {directories_[directory].get(), sample - first_document_[directory]};
}

int64_t ShardSamples::Tokens(int64_t sample) const {
  const auto [shards, document] = Locate(sample);
  return shards->DocumentTokens(document);
}

void ShardSamples::Append(int64_t sample, int64_t begin, int64_t end, std::vector<int32_t>* ids,
                          std::vector<uint8_t>* flags) const {
  const auto [shards, document] = Locate(sample);
  shards->Append(document, begin, end, ids);
  if (flags != nullptr) flags->resize(flags->size() + end - begin, tokenizer::kTrained);
}

std::string ShardSamples::Fingerprint() const {
  std::string all;
  for (const auto& directory : directories_) all += directory->fingerprint();
  return Xxh3Hex(all);
}

}  // namespace trainyard::data
