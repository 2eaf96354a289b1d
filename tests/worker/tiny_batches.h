// Micro-batches made by hand.

#ifndef TRAINYARD_TESTS_WORKER_TINY_BATCHES_H_
#define TRAINYARD_TESTS_WORKER_TINY_BATCHES_H_

#include <cstdint>
#include <vector>

#include "data/train_batch.h"

namespace trainyard::worker {

// One segment for each list; every token is trained to give the next one of its segment.
inline data::MicroBatch MicroBatchOf(const std::vector<std::vector<int32_t>>& segments) {
  data::MicroBatch batch;
  batch.segment_offsets = {0};
  for (const std::vector<int32_t>& segment : segments) {
    for (size_t i = 0; i < segment.size(); ++i) {
      const bool last = i + 1 == segment.size();
      batch.token_ids_N.push_back(segment[i]);
      batch.target_ids_N.push_back(last ? data::kNoTarget : segment[i + 1]);
      batch.loss_weights_N.push_back(last ? 0 : 1);
      batch.positions_N.push_back(static_cast<int32_t>(i));
      batch.units += last ? 0 : 1;
    }
    batch.segment_offsets.push_back(static_cast<int32_t>(batch.token_count()));
  }
  return batch;
}

}  // namespace trainyard::worker

#endif  // TRAINYARD_TESTS_WORKER_TINY_BATCHES_H_
