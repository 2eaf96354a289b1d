#include <algorithm>

#include "absl/strings/str_cat.h"
#include "reward_service/rule_scorers.h"

namespace trainyard::reward_service {
namespace {

class Length : public RuleScorer {
 public:
  explicit Length(const LengthOptions& options) : options_(options) {}

  ComponentScore ScoreOne(const ScoreItem& item) override {
    const int tokens = static_cast<int>(item.token_ids.size()) - item.answer_begin;
    const int outside =
        std::max({0, options_.min_tokens - tokens, tokens - options_.max_tokens});
    if (outside == 0) return ComponentScore::Ok(item, 1);
    if (outside >= options_.slack_tokens) return ComponentScore::Ok(item, 0);
    return ComponentScore::Ok(item, 1 - static_cast<double>(outside) / options_.slack_tokens);
  }

 private:
  const LengthOptions options_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RuleScorer>> MakeLength(const LengthOptions& options) {
  if (options.min_tokens < 0 || options.max_tokens < options.min_tokens ||
      options.slack_tokens < 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "length reward: 0 <= min_tokens (", options.min_tokens, ") <= max_tokens (",
        options.max_tokens, ") and slack_tokens (", options.slack_tokens, ") >= 0 must hold"));
  }
  return std::make_unique<Length>(options);
}

}  // namespace trainyard::reward_service
