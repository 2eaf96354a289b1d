#include "data/micro_batch.h"

#include <utility>

#include "tokenizer/chat_template.h"

namespace trainyard::data {

std::vector<RankedPair> PairsOf(absl::Span<const float> scores, double min_gap) {
  std::vector<RankedPair> pairs;
  for (size_t winner = 0; winner < scores.size(); ++winner) {
    for (size_t loser = 0; loser < scores.size(); ++loser) {
      const float gap = scores[winner] - scores[loser];
      if (gap <= 0 || gap < min_gap) continue;
      pairs.push_back({static_cast<int32_t>(winner), static_cast<int32_t>(loser), gap});
    }
  }
  return pairs;
}

Segment SegmentOfSample(std::vector<int32_t> ids, absl::Span<const uint8_t> flags) {
  Segment segment;
  const size_t size = ids.size();
  segment.targets.assign(size, kNoTarget);
  segment.weights.assign(size, 0.0f);
  for (size_t i = 0; i + 1 < size; ++i) {
    segment.targets[i] = ids[i + 1];
    segment.weights[i] = (flags[i + 1] & tokenizer::kTrained) != 0 ? 1.0f : 0.0f;
  }
  segment.ids = std::move(ids);
  return segment;
}

void MicroBatchBuilder::AddSegment(const Segment& segment) {
  MicroBatch& batch = batch_;
  for (size_t i = 0; i < segment.ids.size(); ++i) {
    batch.token_ids_N.push_back(segment.ids[i]);
    batch.target_ids_N.push_back(segment.targets[i]);
    batch.loss_weights_N.push_back(segment.weights[i]);
    batch.positions_N.push_back(static_cast<int32_t>(i));
    if (segment.weights[i] == 0) continue;
    ++batch.units;
    batch.trained_bytes += bytes_of_id_[segment.targets[i]];
  }
  batch.segment_offsets.push_back(static_cast<int32_t>(batch.token_ids_N.size()));
}

void MicroBatchBuilder::AddGroup(const std::vector<std::vector<int32_t>>& segments,
                                 std::vector<float> scores, double min_gap) {
  RankedGroup group;
  group.pairs = PairsOf(scores, min_gap);
  group.scores = std::move(scores);
  for (const std::vector<int32_t>& ids : segments) {
    group.segments.push_back(static_cast<int32_t>(batch_.segment_count()));
    AddSegment(
        {ids, std::vector<int32_t>(ids.size(), kNoTarget), std::vector<float>(ids.size(), 0.0f)});
  }
  if (!group.pairs.empty()) ++batch_.units;
  batch_.groups.push_back(std::move(group));
}

MicroBatch MicroBatchBuilder::Take() {
  MicroBatch taken = std::exchange(batch_, MicroBatch());
  batch_.segment_offsets.assign(1, 0);
  return taken;
}

}  // namespace trainyard::data
