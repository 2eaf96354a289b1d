#include "tokenizer/batch_encoder.h"

#include <algorithm>
#include <atomic>
#include <thread>

namespace trainyard::tokenizer {
namespace {

// What a thread takes at a time: enough to make the taking cheap, little enough to share the end.
constexpr size_t kShareBytes = size_t{32} << 10;

// Some texts in a row, and their ids.
struct Share {
  size_t begin = 0, end = 0;
  std::vector<TokenId> ids;
  std::vector<size_t> ends;  // in `ids`
};

std::vector<Share> CutIntoShares(absl::Span<const absl::string_view> texts) {
  std::vector<Share> shares;
  size_t share_bytes = kShareBytes;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (share_bytes >= kShareBytes) {
      shares.emplace_back().begin = i;
      share_bytes = 0;
    }
    share_bytes += texts[i].size();
    shares.back().end = i + 1;
  }
  return shares;
}

void EncodeShare(absl::Span<const absl::string_view> texts, AddedTokens added, Encoder* encoder,
                 Share* share) {
  for (size_t i = share->begin; i < share->end; ++i) {
    if (added == AddedTokens::kParse) {
      encoder->EncodeWithAdded(texts[i], &share->ids);
    } else {
      encoder->Encode(texts[i], &share->ids);
    }
    share->ends.push_back(share->ids.size());
  }
}

}  // namespace

BatchEncoder::BatchEncoder(const Tokenizer& tokenizer, int threads) {
  for (int i = 0; i < std::max(1, threads); ++i) encoders_.emplace_back(tokenizer);
}

void BatchEncoder::Encode(absl::Span<const absl::string_view> texts, AddedTokens added,
                          EncodedBatch* batch) {
  std::vector<Share> shares = CutIntoShares(texts);
  std::atomic<size_t> next{0};
  const auto work = [&](Encoder* encoder) {
    for (size_t i = next++; i < shares.size(); i = next++) {
      EncodeShare(texts, added, encoder, &shares[i]);
    }
  };
  std::vector<std::thread> threads;
  for (size_t i = 1; i < std::min(encoders_.size(), shares.size()); ++i) {
    threads.emplace_back(work, &encoders_[i]);
  }
  work(&encoders_[0]);
  for (std::thread& thread : threads) thread.join();
  batch->ids_.clear();
  batch->ends_.clear();
  for (const Share& share : shares) {
    const size_t begin = batch->ids_.size();
    for (const size_t end : share.ends) batch->ends_.push_back(begin + end);
    batch->ids_.insert(batch->ids_.end(), share.ids.begin(), share.ids.end());
  }
}

}  // namespace trainyard::tokenizer
