// Everything besides tensors that a run needs to go on as if it had never stopped. A value, stored
// in the sections of a checkpoint's manifest.

#ifndef TRAINYARD_WORKER_TRAIN_STATE_H_
#define TRAINYARD_WORKER_TRAIN_STATE_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "checkpoint/manifest.h"
#include "data/cursor.h"

namespace trainyard::worker {

struct TrainState {
  int64_t step = 0;             // optimizer steps done, skipped ones included
  int64_t updates = 0;          // updates made: the optimizer's bias correction
  data::DataCursor cursor;      // of the next step
  int64_t tokens = 0;           // consumed by all ranks
  Json spike_guard = Json::object();
  std::optional<double> best;   // headline of the best validation so far
  int64_t best_step = 0;
};

// Sections by name.
Json TrainStateSections(const TrainState& state);

// FailedPrecondition or InvalidArgument name the section that is missing or wrong.
absl::StatusOr<TrainState> TrainStateOf(const checkpoint::Manifest& manifest);

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_TRAIN_STATE_H_
