// What one rank needs for one optimizer step. Values: no torch, no files, no threads.
//
// Legend of the suffixes: N tokens of a micro-batch, S its segments.

#ifndef TRAINYARD_DATA_TRAIN_BATCH_H_
#define TRAINYARD_DATA_TRAIN_BATCH_H_

#include <cstdint>
#include <vector>

#include "data/cursor.h"

namespace trainyard::data {

// The target of a token that has none (the last one of a segment); its loss weight is 0.
inline constexpr int32_t kNoTarget = -1;

// Two answers of one group; `winner` and `loser` index RankedGroup::segments.
struct RankedPair {
  int32_t winner = 0;
  int32_t loser = 0;
  float gap = 0;  // of their scores, > 0
};

// K = 2..9 ranked answers, each a segment of the micro-batch. Never split over micro-batches.
struct RankedGroup {
  std::vector<int32_t> segments;
  std::vector<float> scores;      // by segment; higher is better
  std::vector<RankedPair> pairs;  // ties and gaps under the least one left out; may be empty
};

// Segments one after the other, without padding. Attention never crosses a segment's border; a
// reward is read at a segment's last token.
struct MicroBatch {
  std::vector<int32_t> token_ids_N;
  std::vector<int32_t> target_ids_N;     // the next token of the segment, or kNoTarget
  std::vector<float> loss_weights_N;     // of the target: 0 or 1
  std::vector<int32_t> positions_N;      // from 0 in each segment
  std::vector<int32_t> segment_offsets;  // S + 1 of them; segment s is [offsets[s], offsets[s + 1])
  std::vector<RankedGroup> groups;       // reward models only
  int64_t units = 0;          // trained tokens; for reward models groups with at least one pair
  int64_t trained_bytes = 0;  // text bytes of the trained targets, for bits per byte; specials: 0

  int64_t token_count() const { return static_cast<int64_t>(token_ids_N.size()); }
  int64_t segment_count() const { return static_cast<int64_t>(segment_offsets.size()) - 1; }
};

// One optimizer step of one rank. The global counts are the same on all ranks: the loss of the step
// is the sum over all ranks' units / global_units.
struct TrainBatch {
  int64_t step = 0;  // of the data order: step 0 starts at the cursor {0, 0, 0}
  std::vector<MicroBatch> micro_batches;  // may be empty when there are fewer packs than ranks
  int64_t global_units = 0;
  int64_t global_tokens = 0;    // input tokens of all ranks
  int64_t global_segments = 0;  // sequences of all ranks
  DataCursor cursor_after;      // to be stored by the checkpoint of a run that consumed this step
};

}  // namespace trainyard::data

#endif  // TRAINYARD_DATA_TRAIN_BATCH_H_
