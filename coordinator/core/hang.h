// Hangs: a task that reports, but whose phase, step and tokens/s stand still.

#ifndef TRAINYARD_COORDINATOR_CORE_HANG_H_
#define TRAINYARD_COORDINATOR_CORE_HANG_H_

#include <string>

#include "coordinator/core/draft.h"

namespace trainyard::coordinator {

// Keeps the progress and, when phase or step changed, how long the last one took (since its last
// sign of life: a rate of tokens that changes within a step).
void RecordProgress(const CoreOptions& options, Task& task, const Progress& progress,
                    absl::Time now);

// How long (phase, step) may stand still; infinite where nothing is expected ("waiting_rollout").
//   start, load: start_limit    checkpoint, publish, finish: checkpoint_limit    eval: eval_limit
//   else max(hang_min, hang_factor x median of the phase's last steps), and start_limit while the
//   phase has too few steps on record.
absl::Duration HangLimit(const CoreOptions& options, const JobShape& shape, const Task& task);

// Marks the tasks of a running attempt that hang, or whose session is gone for too long.
void DetectHangs(Draft& draft, Job& job);

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_CORE_HANG_H_
