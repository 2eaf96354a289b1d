#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "reward_service/rule_scorers.h"

namespace trainyard::reward_service {
namespace {

class ExactMatch : public RuleScorer {
 public:
  explicit ExactMatch(const ExactMatchOptions& options) : options_(options) {}

  ComponentScore ScoreOne(const ScoreItem& item) override {
    if (item.reference.empty()) {
      return ComponentScore::Failed(ScoreStatus::kVerifierError,
                                    "the row has no answer to compare with");
    }
    absl::string_view answer = item.answer, reference = item.reference;
    if (options_.strip) {
      answer = absl::StripAsciiWhitespace(answer);
      reference = absl::StripAsciiWhitespace(reference);
    }
    const bool equal = options_.ignore_case ? absl::EqualsIgnoreCase(answer, reference)
                                            : answer == reference;
    return ComponentScore::Ok(item, equal ? 1 : 0);
  }

 private:
  const ExactMatchOptions options_;
};

}  // namespace

std::unique_ptr<RuleScorer> MakeExactMatch(const ExactMatchOptions& options) {
  return std::make_unique<ExactMatch>(options);
}

}  // namespace trainyard::reward_service
