#include "data/pass_plan.h"

#include <algorithm>
#include <utility>

#include "base/random.h"
#include "data/packing.h"
#include "data/pass_order.h"
#include "tokenizer/chat_template.h"

namespace trainyard::data {
namespace {

int64_t CeilDivide(int64_t value, int64_t by) { return (value + by - 1) / by; }

// Pretraining: all documents of the pass, each with its end token, as one stream, cut into windows.
// The token after a window is the target of its last one.
class StreamPlan : public PassPlan {
 public:
  StreamPlan(const Dataset& dataset, const PassPlanOptions& options, std::vector<SampleRef> order)
      : dataset_(dataset),
        isolate_(options.isolate_documents),
        length_(dataset.spec().max_tokens),
        end_tokens_(dataset.document_end_id() >= 0 ? 1 : 0),
        order_(std::move(order)),
        begins_{0} {
    for (const SampleRef& ref : order_) {
      begins_.push_back(begins_.back() + dataset.source(ref.source).Tokens(ref.sample) +
                        end_tokens_);
    }
    const int64_t predicted = std::max<int64_t>(begins_.back() - 1, 0);
    packs_ = options.in_file_order ? CeilDivide(predicted, length_) : predicted / length_;
    predicted_ = predicted;
  }

  int64_t window_count() const override { return CeilDivide(packs_, kWindowSamples); }

  std::vector<Pack> Window(int64_t window) const override {
    std::vector<Pack> packs;
    const int64_t end = std::min((window + 1) * kWindowSamples, packs_);
    for (int64_t i = window * kWindowSamples; i < end; ++i) {
      Pack pack;
      pack.begin_token = i * length_;
      pack.tokens = std::min(length_, predicted_ - pack.begin_token);
      const int64_t last = pack.begin_token + pack.tokens - 1;
      const int64_t borders = isolate_ ? DocumentAt(last) - DocumentAt(pack.begin_token) : 0;
      const bool ends_document = isolate_ && begins_[DocumentAt(last) + 1] == last + 1;
      pack.units = pack.tokens - borders - (ends_document ? 1 : 0);
      pack.segments = borders + 1;
      packs.push_back(std::move(pack));
    }
    return packs;
  }

  void Append(const Pack& pack, MicroBatchBuilder* batch) const override {
    const std::vector<int32_t> ids = Read(pack.begin_token, pack.begin_token + pack.tokens + 1);
    int64_t at = 0;
    while (at < pack.tokens) {
      const int64_t document_end = begins_[DocumentAt(pack.begin_token + at) + 1];
      const int64_t end =
          isolate_ ? std::min(document_end - pack.begin_token, pack.tokens) : pack.tokens;
      Segment segment;
      segment.ids.assign(ids.begin() + at, ids.begin() + end);
      segment.targets.assign(ids.begin() + at + 1, ids.begin() + end + 1);
      segment.weights.assign(end - at, 1.0f);
      if (isolate_ && pack.begin_token + end == document_end) {
        segment.targets.back() = kNoTarget;
        segment.weights.back() = 0.0f;
      }
      batch->AddSegment(segment);
      at = end;
    }
  }

 private:
  // The document (its end token included) that token `token` of the stream belongs to.
  int64_t DocumentAt(int64_t token) const {
    return std::upper_bound(begins_.begin(), begins_.end(), token) - begins_.begin() - 1;
  }

  std::vector<int32_t> Read(int64_t begin, int64_t end) const {
    std::vector<int32_t> ids;
    for (int64_t document = DocumentAt(begin); begin < end; ++document) {
      const SampleRef& ref = order_[document];
      const SourceSamples& samples = dataset_.source(ref.source);
      const int64_t text_end = begins_[document + 1] - end_tokens_;
      if (begin < text_end) {
        const int64_t stop = std::min(end, text_end);
        samples.Append(ref.sample, begin - begins_[document], stop - begins_[document], &ids,
                       nullptr);
        begin = stop;
      }
      if (begin < end && begin < begins_[document + 1]) {
        ids.push_back(dataset_.document_end_id());
        ++begin;
      }
    }
    return ids;
  }

  const Dataset& dataset_;
  const bool isolate_;
  const int64_t length_;
  const int64_t end_tokens_;
  const std::vector<SampleRef> order_;
  std::vector<int64_t> begins_;  // of each document in the stream, and the stream's length
  int64_t predicted_ = 0;        // tokens that have a next one
  int64_t packs_ = 0;
};

// SFT: conversations, one or several to a pack, each a segment of its own.
class ConversationPlan : public PassPlan {
 public:
  ConversationPlan(const Dataset& dataset, const PassPlanOptions& options,
                   std::vector<SampleRef> order)
      : dataset_(dataset), pack_samples_(options.pack_samples), order_(std::move(order)) {}

  int64_t window_count() const override {
    return CeilDivide(static_cast<int64_t>(order_.size()), kWindowSamples);
  }

  std::vector<Pack> Window(int64_t window) const override {
    const int64_t begin = window * kWindowSamples;
    const int64_t end = std::min<int64_t>(begin + kWindowSamples, order_.size());
    std::vector<int64_t> lengths;
    for (int64_t i = begin; i < end; ++i) {
      lengths.push_back(dataset_.source(order_[i].source).Tokens(order_[i].sample));
    }
    // Without packing a pack has no room for a second sample.
    const int64_t capacity = pack_samples_ ? dataset_.spec().max_tokens : 0;
    std::vector<Pack> packs;
    for (std::vector<int64_t>& entries : PackBestFit(lengths, capacity)) {
      Pack pack;
      for (int64_t& entry : entries) {
        pack.tokens += lengths[entry];
        entry += begin;
        pack.units += dataset_.source(order_[entry].source).TrainedTokens(order_[entry].sample);
      }
      pack.segments = static_cast<int64_t>(entries.size());
      pack.entries = std::move(entries);
      packs.push_back(std::move(pack));
    }
    return packs;
  }

  void Append(const Pack& pack, MicroBatchBuilder* batch) const override {
    for (const int64_t entry : pack.entries) {
      const SampleRef& ref = order_[entry];
      const SourceSamples& samples = dataset_.source(ref.source);
      std::vector<int32_t> ids;
      std::vector<uint8_t> flags;
      samples.Append(ref.sample, 0, samples.Tokens(ref.sample), &ids, &flags);
      batch->AddSegment(SegmentOfSample(std::move(ids), flags));
    }
  }

 private:
  const Dataset& dataset_;
  const bool pack_samples_;
  const std::vector<SampleRef> order_;
};

// Reward models: a group to a pack.
class GroupPlan : public PassPlan {
 public:
  GroupPlan(const Dataset& dataset, const PassPlanOptions& options, std::vector<GroupRef> groups,
            uint64_t dropout_key)
      : dataset_(dataset),
        options_(options),
        groups_(std::move(groups)),
        dropout_key_(dropout_key) {}

  int64_t window_count() const override {
    return CeilDivide(static_cast<int64_t>(groups_.size()), kWindowSamples);
  }

  std::vector<Pack> Window(int64_t window) const override {
    const int64_t begin = window * kWindowSamples;
    const int64_t end = std::min<int64_t>(begin + kWindowSamples, groups_.size());
    std::vector<Pack> packs;
    for (int64_t i = begin; i < end; ++i) {
      const GroupRef& group = groups_[i];
      Pack pack;
      pack.entries = {i};
      for (const int64_t sample : group.samples) {
        pack.tokens += dataset_.source(group.source).Tokens(sample);
      }
      pack.units = PairsOf(group.scores, options_.min_rating_gap).empty() ? 0 : 1;
      pack.segments = static_cast<int64_t>(group.samples.size());
      packs.push_back(std::move(pack));
    }
    return packs;
  }

  void Append(const Pack& pack, MicroBatchBuilder* batch) const override {
    const GroupRef& group = groups_[pack.entries[0]];
    std::vector<std::vector<int32_t>> segments;
    for (const int64_t sample : group.samples) segments.push_back(Read(group.source, sample));
    batch->AddGroup(segments, group.scores, options_.min_rating_gap);
  }

 private:
  std::vector<int32_t> Read(int32_t source, int64_t sample) const {
    const SourceSamples& samples = dataset_.source(source);
    std::vector<int32_t> ids;
    std::vector<uint8_t> flags;
    samples.Append(sample, 0, samples.Tokens(sample), &ids, &flags);
    if (options_.token_dropout <= 0 || options_.in_file_order) return ids;
    const CounterRandom random(DeriveKey(dropout_key_, "source", source));
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      const bool is_text = (flags[i] & tokenizer::kTag) == 0;
      if (is_text && random.UniformDouble(sample, i) < options_.token_dropout) {
        ids[i] = options_.dropout_id;
      }
    }
    return ids;
  }

  const Dataset& dataset_;
  const PassPlanOptions options_;
  const std::vector<GroupRef> groups_;
  const uint64_t dropout_key_;
};

}  // namespace

std::unique_ptr<PassPlan> MakePassPlan(const Dataset& dataset, const PassPlanOptions& options,
                                       uint64_t key, int64_t pass) {
  if (dataset.spec().objective == Objective::kRewardModel) {
    return std::make_unique<GroupPlan>(dataset, options,
                                       options.in_file_order
                                           ? FileGroups(dataset, options.group_size)
                                           : PassGroups(dataset, options.group_size, key, pass),
                                       DeriveKey(key, "token_dropout", pass));
  }
  std::vector<SampleRef> order =
      options.in_file_order ? FileOrder(dataset) : PassOrder(dataset, key, pass);
  if (dataset.spec().objective == Objective::kPretrain) {
    return std::make_unique<StreamPlan>(dataset, options, std::move(order));
  }
  return std::make_unique<ConversationPlan>(dataset, options, std::move(order));
}

}  // namespace trainyard::data
