// How a training loop runs. No torch.

#ifndef TRAINYARD_WORKER_LOOP_OPTIONS_H_
#define TRAINYARD_WORKER_LOOP_OPTIONS_H_

#include <cstdint>

#include "absl/time/time.h"

namespace trainyard::worker {

struct LoopOptions {
  int64_t total_steps = 0;
  int64_t eval_every = 0;                               // steps; 0: at the end only
  int64_t checkpoint_every_steps = 0;                   // 0: by time only
  absl::Duration checkpoint_every = absl::Minutes(10);  // by rank 0's clock
  int64_t log_every = 1;                                // steps between reports of metrics
  absl::Duration data_timeout = absl::Minutes(10);      // longest wait for a batch
};

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_LOOP_OPTIONS_H_
