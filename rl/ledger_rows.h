// The committed history of a PPO run: which ledger rows each iteration consumed, exactly once. A
// value; the manifest's copy is the truth.

#ifndef TRAINYARD_RL_LEDGER_ROWS_H_
#define TRAINYARD_RL_LEDGER_ROWS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/json.h"

namespace trainyard::rl {

// A sample that was drawn but not trained on, and why. Such a sample is counted, never forgotten.
struct ExcludedSample {
  int64_t row = 0;
  int64_t sample = 0;
  std::string reason;  // "REJECTED", "NO_END", "WALL_CLOCK_KILL", ...
};

// One iteration's rows [first_row, first_row + rows).
struct LedgerIteration {
  int64_t iteration = 0;
  int64_t first_row = 0;
  int64_t rows = 0;
  int64_t samples_per_row = 1;
  std::string digest;  // of the trajectories it trained on
  std::vector<ExcludedSample> excluded;
};

// Iterations 0, 1, ... of a run, their rows following each other from 0 without gap or overlap.
class LedgerRows {
 public:
  // FailedPrecondition, naming the rows, when `iteration` does not follow the last one.
  absl::Status Append(LedgerIteration iteration);

  int64_t next_iteration() const { return static_cast<int64_t>(iterations_.size()); }
  int64_t next_row() const;
  const std::vector<LedgerIteration>& iterations() const { return iterations_; }

  // How many samples were excluded for `reason`.
  int64_t CountExcluded(const std::string& reason) const;

  Json ToJson() const;
  // DataLoss when the document is not what ToJson writes, or its rows have a gap or overlap.
  static absl::StatusOr<LedgerRows> FromJson(const Json& json);

 private:
  std::vector<LedgerIteration> iterations_;
};

}  // namespace trainyard::rl

#endif  // TRAINYARD_RL_LEDGER_ROWS_H_
