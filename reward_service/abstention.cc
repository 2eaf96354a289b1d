#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "base/status.h"
#include "reward_service/pattern.h"
#include "reward_service/rule_scorers.h"

namespace trainyard::reward_service {
namespace {

class Abstention : public RuleScorer {
 public:
  Abstention(std::vector<Pattern> patterns, const AbstentionOptions& options)
      : patterns_(std::move(patterns)), options_(options) {}

  ComponentScore ScoreOne(const ScoreItem& item) override {
    if (item.reference.empty()) {
      return ComponentScore::Failed(ScoreStatus::kVerifierError,
                                    "the row has no answer to compare with");
    }
    if (absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(item.answer),
                               absl::StripAsciiWhitespace(item.reference))) {
      return ComponentScore::Ok(item, options_.correct);
    }
    for (const Pattern& pattern : patterns_) {
      const absl::StatusOr<int> count = pattern.Count(item.answer, 1);
      if (!count.ok()) {
        return ComponentScore::Failed(ScoreStatus::kVerifierError,
                                      std::string(count.status().message()));
      }
      if (*count > 0) return ComponentScore::Ok(item, options_.abstained);
    }
    return ComponentScore::Ok(item, options_.wrong);
  }

 private:
  const std::vector<Pattern> patterns_;
  const AbstentionOptions options_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RuleScorer>> MakeAbstention(const AbstentionOptions& options) {
  if (options.patterns.empty()) {
    return absl::InvalidArgumentError("abstention reward: patterns is empty");
  }
  std::vector<Pattern> patterns;
  for (const std::string& text : options.patterns) {
    TY_ASSIGN_OR_RETURN(Pattern pattern, Pattern::Compile(text, PatternCase::kIgnore));
    patterns.push_back(std::move(pattern));
  }
  return std::make_unique<Abstention>(std::move(patterns), options);
}

}  // namespace trainyard::reward_service
