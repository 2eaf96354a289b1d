// Trajectories as packed rows for the model: which states predict which answer tokens, under the
// policy's definition.
//
// Shapes: N packed rows, M trained tokens.

#ifndef TRAINYARD_WORKER_PPO_ROWS_H_
#define TRAINYARD_WORKER_PPO_ROWS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/loss.h"
#include "model/transformer.h"
#include "rl/balance.h"
#include "rl/trajectory.h"
#include "worker/learner_options.h"

namespace trainyard::worker {

struct PpoRows {
  model::PackedTokens tokens;
  model::TokenQuery query;        // one entry per trained token; rows_M predict
  std::vector<int64_t> places_M;  // index of each in arrays over the iteration's trained tokens
};

// The iteration that rows are taken from. A view.
struct IterationRows {
  const std::vector<rl::Trajectory>& trajectories;
  const std::vector<int64_t>& begins;  // rl::TokenBegins of them
};

// Packs the trajectories `members` (at least one) one after the other. InvalidArgument names a row
// that is longer than the context or has a trained token that the policy forbids.
absl::StatusOr<PpoRows> PackRows(const IterationRows& iteration, const rl::RowIndices& members,
                                 const model::Model& model, const PolicyDefinition& policy);

// The same for sequences to be scored: every token from `begin` on.
absl::StatusOr<PpoRows> PackSequences(absl::Span<const ScoredSequence> sequences,
                                      const model::Model& model, const PolicyDefinition& policy);

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_PPO_ROWS_H_
