#include <utility>

#include "base/status.h"
#include "reward_service/pattern.h"
#include "reward_service/rule_scorers.h"

namespace trainyard::reward_service {
namespace {

class Regex : public RuleScorer {
 public:
  Regex(Pattern pattern, double value) : pattern_(std::move(pattern)), value_(value) {}

  ComponentScore ScoreOne(const ScoreItem& item) override {
    const absl::StatusOr<int> count = pattern_.Count(item.answer, 1);
    if (!count.ok()) {
      return ComponentScore::Failed(ScoreStatus::kVerifierError,
                                    std::string(count.status().message()));
    }
    return ComponentScore::Ok(item, *count > 0 ? value_ : 0);
  }

 private:
  const Pattern pattern_;
  const double value_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RuleScorer>> MakeRegex(const RegexOptions& options) {
  TY_ASSIGN_OR_RETURN(Pattern pattern, Pattern::Compile(options.pattern, PatternCase::kSensitive));
  return std::make_unique<Regex>(std::move(pattern), options.value);
}

}  // namespace trainyard::reward_service
