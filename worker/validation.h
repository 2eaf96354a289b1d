// The loss on held-out rows, over all ranks.

#ifndef TRAINYARD_WORKER_VALIDATION_H_
#define TRAINYARD_WORKER_VALIDATION_H_

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "collective/group.h"
#include "data/train_batch.h"
#include "worker/objective.h"

namespace trainyard::worker {

// Owned: by the thread that trains. What it is given outlives it.
class Validation {
 public:
  // `micro_batches`: this rank's part of the held-out rows; may be empty on some ranks.
  Validation(Objective* objective, const std::vector<data::MicroBatch>* micro_batches,
             collective::Group* group)
      : objective_(objective), micro_batches_(micro_batches), group_(group) {}

  // The objective's metrics on all rows; empty when there are none. All ranks. `alive` is called
  // between micro-batches, to report progress.
  absl::StatusOr<std::map<std::string, double>> Run(const std::function<void()>& alive);

 private:
  Objective* const objective_;
  const std::vector<data::MicroBatch>* const micro_batches_;
  collective::Group* const group_;
};

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_VALIDATION_H_
