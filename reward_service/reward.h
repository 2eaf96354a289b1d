// A reward: named components, each a scorer with a weight, and how they become one number.

#ifndef TRAINYARD_REWARD_SERVICE_REWARD_H_
#define TRAINYARD_REWARD_SERVICE_REWARD_H_

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "reward_service/combine.h"
#include "reward_service/learned_scorer.h"
#include "reward_service/rule_scorers.h"
#include "reward_service/scorer.h"

namespace trainyard::reward_service {

struct LexiconOptions {
  std::string path;
};

using ScorerOptions =
    std::variant<LearnedScorerOptions, ExactMatchOptions, RegexOptions, LengthOptions,
                 LexiconOptions, AbstentionOptions, ForbiddenWordsOptions>;

struct ComponentOptions {
  std::string name;
  double weight = 1;
  ScorerOptions scorer;
};

struct RewardOptions {
  std::vector<ComponentOptions> components;
  std::string combine;
};

// An item with all its components' scores.
struct ScoredItem {
  int64_t row = 0;
  int32_t sample = 0;
  std::vector<ComponentScore> components;
  CombinedScore combined;
};

// Owned by one thread (the scoring thread).
class Reward {
 public:
  // Loads every scorer. InvalidArgument names a component without a name or with another's, a
  // weight that is not finite, no component at all, a product or gate that makes no sense; errors
  // of a scorer begin with its component's name.
  static absl::StatusOr<std::unique_ptr<Reward>> Create(const RewardOptions& options);

  // One result per item, in order.
  std::vector<ScoredItem> Score(absl::Span<const ScoreItem> items, absl::Time deadline);

  const std::vector<std::string>& names() const { return names_; }
  // Of the first learned component.
  const std::optional<LearnedScorerCard>& learned() const { return learned_; }
  // Identity of the reward: SHA-256 over options and learned models. Equal identities give equal
  // scores on one numerics id.
  const std::string& hash() const { return hash_; }

 private:
  Reward() = default;
  absl::Status Add(const ComponentOptions& component, std::string* identity);

  Combination combination_ = Combination::kWeightedSum;
  std::vector<std::string> names_;
  std::vector<double> weights_;
  std::vector<std::unique_ptr<Scorer>> scorers_;
  std::optional<LearnedScorerCard> learned_;
  std::string hash_;
};

}  // namespace trainyard::reward_service

#endif  // TRAINYARD_REWARD_SERVICE_REWARD_H_
