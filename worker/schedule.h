// Learning rate as a function of the step. A value; pure.

#ifndef TRAINYARD_WORKER_SCHEDULE_H_
#define TRAINYARD_WORKER_SCHEDULE_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trainyard::worker {

enum class ScheduleKind {
  kConstant,
  kCosine,  // from peak to peak * final_ratio over the steps after the warm-up
  kLinear,  // the same in a straight line
  kWsd,     // warm-up, stable, then a straight line over the last decay_ratio of all steps
};

// "constant", "cosine", "linear", "wsd". InvalidArgument names the nearest.
absl::StatusOr<ScheduleKind> ScheduleKindFromName(absl::string_view name);

struct Schedule {
  ScheduleKind kind = ScheduleKind::kCosine;
  double peak = 0;            // learning rate after the warm-up
  int64_t total_steps = 0;    // beyond them the rate stays at its last value
  int64_t warmup_steps = 0;   // linear, from peak / warmup_steps
  double final_ratio = 0.1;   // last rate / peak
  double decay_ratio = 0.2;   // kWsd: share of total_steps in which the rate falls

  // InvalidArgument names the field, its value and its limits.
  absl::Status Validate() const;

  // The rate of step 0, 1, ...
  double LearningRate(int64_t step) const;
};

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_SCHEDULE_H_
