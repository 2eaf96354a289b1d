// Where a task is, as it tells the coordinator and as the coordinator shows it. Values.

#ifndef TRAINYARD_BASE_PROGRESS_H_
#define TRAINYARD_BASE_PROGRESS_H_

#include <cstdint>
#include <string>

namespace trainyard {

// Mirrors job.proto.
struct Progress {
  // "starting", "load", "train", "generate", "score", "update", "publish", "checkpoint", "eval",
  // "waiting_rollout", "finish".
  std::string phase;
  int64_t step = 0;
  int64_t total_steps = 0;
  double tokens_per_second = 0;
  // Latest value of the headline metric, and its name ("loss", "reward").
  double headline = 0;
  std::string headline_name;

  bool operator==(const Progress&) const = default;
};

// Where a task was when it ended.
struct Place {
  int64_t step = 0;
  std::string phase;  // as Progress::phase
};

}  // namespace trainyard

#endif  // TRAINYARD_BASE_PROGRESS_H_
