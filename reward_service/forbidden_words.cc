#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "reward_service/pattern.h"
#include "reward_service/rule_scorers.h"

namespace trainyard::reward_service {
namespace {

class ForbiddenWords : public RuleScorer {
 public:
  ForbiddenWords(Pattern pattern, double penalty)
      : pattern_(std::move(pattern)), penalty_(penalty) {}

  ComponentScore ScoreOne(const ScoreItem& item) override {
    const absl::StatusOr<int> count =
        pattern_.Count(item.answer, std::numeric_limits<int>::max());
    if (!count.ok()) {
      return ComponentScore::Failed(ScoreStatus::kVerifierError,
                                    std::string(count.status().message()));
    }
    return ComponentScore::Ok(item, *count == 0 ? 0 : -penalty_ * *count);
  }

 private:
  const Pattern pattern_;
  const double penalty_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RuleScorer>> MakeForbiddenWords(
    const ForbiddenWordsOptions& options) {
  if (options.words.empty()) {
    return absl::InvalidArgumentError("forbidden words reward: words is empty");
  }
  if (!(options.penalty > 0)) {
    return absl::InvalidArgumentError(absl::StrCat("forbidden words reward: penalty is ",
                                                   options.penalty, ", must be positive"));
  }
  std::string any;
  for (const std::string& word : options.words) {
    if (word.empty()) {
      return absl::InvalidArgumentError("forbidden words reward: a word is empty");
    }
    absl::StrAppend(&any, any.empty() ? "" : "|", EscapePattern(word));
  }
  // Letters and digits on either side make it another word.
  const std::string whole = absl::StrCat("(?<![\\p{L}\\p{N}])(?:", any, ")(?![\\p{L}\\p{N}])");
  TY_ASSIGN_OR_RETURN(Pattern pattern, Pattern::Compile(whole, PatternCase::kIgnore));
  return std::make_unique<ForbiddenWords>(std::move(pattern), options.penalty);
}

}  // namespace trainyard::reward_service
