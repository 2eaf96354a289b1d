// From component scores to one score. Pure.

#ifndef TRAINYARD_REWARD_SERVICE_COMBINE_H_
#define TRAINYARD_REWARD_SERVICE_COMBINE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "reward_service/scorer.h"

namespace trainyard::reward_service {

enum class Combination {
  kWeightedSum,  // sum of weight * value
  kProduct,      // product of weight * value
  kGate,         // 0 unless the first value is > 0; then the weighted sum of the others
  kMin,          // least weight * value
};

// "weighted_sum" (also when empty), "product", "gate", "min"; else InvalidArgument.
absl::StatusOr<Combination> ParseCombination(const std::string& name);

struct CombinedScore {
  ScoreStatus status = ScoreStatus::kOk;
  std::optional<double> score;  // present exactly when the status is kOk
  std::string message;
};

// `names` and `weights` by component. A component that failed fails the item, the first one with
// its name; only a gate that is closed needs no others.
CombinedScore Combine(Combination combination, absl::Span<const std::string> names,
                      absl::Span<const double> weights, absl::Span<const ComponentScore> scores);

}  // namespace trainyard::reward_service

#endif  // TRAINYARD_REWARD_SERVICE_COMBINE_H_
