#include "reward_service/combine.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"

namespace trainyard::reward_service {
namespace {

double Fold(Combination combination, absl::Span<const double> weights,
            absl::Span<const ComponentScore> scores) {
  double sum = 0, product = 1, least = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < scores.size(); ++i) {
    const double weighted = weights[i] * scores[i].value;
    sum += weighted;
    product *= weighted;
    least = std::min(least, weighted);
  }
  switch (combination) {
    case Combination::kProduct:
      return product;
    case Combination::kMin:
      return least;
    default:
      return sum;
  }
}

}  // namespace

absl::StatusOr<Combination> ParseCombination(const std::string& name) {
  if (name.empty() || name == "weighted_sum") return Combination::kWeightedSum;
  if (name == "product") return Combination::kProduct;
  if (name == "gate") return Combination::kGate;
  if (name == "min") return Combination::kMin;
  return absl::InvalidArgumentError(
      absl::StrCat("reward.combine is \"", name, "\", must be weighted_sum, product, gate or min"));
}

CombinedScore Combine(Combination combination, absl::Span<const std::string> names,
                      absl::Span<const double> weights, absl::Span<const ComponentScore> scores) {
  if (combination == Combination::kGate && scores[0].status == ScoreStatus::kOk) {
    if (!(scores[0].value > 0)) return {ScoreStatus::kOk, 0, ""};
    return Combine(Combination::kWeightedSum, names.subspan(1), weights.subspan(1),
                   scores.subspan(1));
  }
  for (size_t i = 0; i < scores.size(); ++i) {
    if (scores[i].status == ScoreStatus::kOk) continue;
    return {scores[i].status, std::nullopt, absl::StrCat(names[i], ": ", scores[i].message)};
  }
  const double score = Fold(combination, weights, scores);
  if (!std::isfinite(score)) {
    return {ScoreStatus::kModelError, std::nullopt, "the combined score is not finite"};
  }
  return {ScoreStatus::kOk, score, ""};
}

}  // namespace trainyard::reward_service
