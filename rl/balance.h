// The minibatch plan of an iteration: which rows each optimizer step trains, and which rank
// computes them. Pure. The composition of a minibatch depends on the seed and the row count only;
// the number of ranks decides nothing but who computes a row.

#ifndef TRAINYARD_RL_BALANCE_H_
#define TRAINYARD_RL_BALANCE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "rl/trajectory.h"

namespace trainyard::rl {

// One trajectory, as the plan needs to know it.
struct PlanRow {
  int64_t tokens = 0;          // its length, prompt included: the cost of computing it
  int64_t trained_tokens = 0;  // what it counts in the loss; 0: masked out, never computed
};

struct PlanOptions {
  uint64_t seed = 0;
  int64_t iteration = 0;
  int64_t passes = 1;
  int64_t minibatch_rows = 64;  // the last minibatch of a pass may be smaller
  int64_t ranks = 1;
};

using RowIndices = std::vector<int64_t>;  // indices into the canonical order

struct Minibatch {
  int64_t trained_tokens = 0;      // over all ranks: the divisor of the loss
  std::vector<RowIndices> shares;  // by rank, in minibatch order; a rank may have none
};

struct IterationPlan {
  std::vector<std::vector<Minibatch>> passes;  // [pass][minibatch]
};

// Per pass: a permutation keyed by (seed, iteration, pass), cut into global minibatches, each cut
// over ranks by tokens (longest first to the least loaded rank). Rows that train nothing are in no
// minibatch, and a minibatch without rows is left out. InvalidArgument names the option or row that
// makes no sense: nothing to train, an option below 1.
absl::StatusOr<IterationPlan> MakeIterationPlan(absl::Span<const PlanRow> rows,
                                                const PlanOptions& options);

// Cuts a share into micro-batches of at most `budget_tokens` tokens, in order. A longer row is a
// micro-batch of its own.
std::vector<RowIndices> CutMicroBatches(const RowIndices& share, absl::Span<const PlanRow> rows,
                                        int64_t budget_tokens);

// Every row of the plan exists and occurs at most once in a pass, and every minibatch has `ranks`
// shares and its true count of trained tokens. InvalidArgument says what is wrong.
absl::Status ValidatePlan(const IterationPlan& plan, absl::Span<const PlanRow> rows, int64_t ranks);

// SHA-256 hex of the plan and of what training reads of the trajectories: an update's identity.
std::string DigestUpdate(const IterationPlan& plan, const std::vector<Trajectory>& trajectories);

// The largest load of a rank divided by the mean load, over one minibatch. 1 is perfect.
double Imbalance(const Minibatch& minibatch, absl::Span<const PlanRow> rows);

}  // namespace trainyard::rl

#endif  // TRAINYARD_RL_BALANCE_H_
