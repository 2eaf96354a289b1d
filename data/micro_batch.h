// Builds micro-batches, segment by segment.

#ifndef TRAINYARD_DATA_MICRO_BATCH_H_
#define TRAINYARD_DATA_MICRO_BATCH_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "data/train_batch.h"

namespace trainyard::data {

// Pairs of scores that rank: not tied, and at least `min_gap` apart; by winner, then loser.
std::vector<RankedPair> PairsOf(absl::Span<const float> scores, double min_gap);

// A segment on its way into a micro-batch. `targets` and `weights` are as long as `ids`.
struct Segment {
  std::vector<int32_t> ids;
  std::vector<int32_t> targets;
  std::vector<float> weights;
};

// A segment that predicts its own next tokens, with weight where `flags` says the target is
// trained; the last token has no target.
Segment SegmentOfSample(std::vector<int32_t> ids, absl::Span<const uint8_t> flags);

// Owned by one thread.
class MicroBatchBuilder {
 public:
  // `bytes_of_id` counts the text bytes of targets; it must outlive the builder.
  explicit MicroBatchBuilder(const std::vector<int32_t>& bytes_of_id) : bytes_of_id_(bytes_of_id) {
    Take();
  }

  int64_t token_count() const { return batch_.token_count(); }

  // Its trained targets count as units.
  void AddSegment(const Segment& segment);
  // Segments without targets that form one group: one unit if any two of them rank.
  void AddGroup(const std::vector<std::vector<int32_t>>& segments, std::vector<float> scores,
                double min_gap);

  // What was added; the builder starts anew.
  MicroBatch Take();

 private:
  const std::vector<int32_t>& bytes_of_id_;
  MicroBatch batch_;
};

}  // namespace trainyard::data

#endif  // TRAINYARD_DATA_MICRO_BATCH_H_
