#include "reward_service/reward.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/checksum.h"
#include "base/status.h"

namespace trainyard::reward_service {
namespace {

struct Made {
  std::unique_ptr<Scorer> scorer;
  std::string identity;  // what the scores depend on
  std::optional<LearnedScorerCard> card;
};

absl::StatusOr<Made> Finish(absl::StatusOr<std::unique_ptr<RuleScorer>> scorer,
                            std::string identity) {
  TY_RETURN_IF_ERROR(scorer.status());
  return Made{*std::move(scorer), std::move(identity), std::nullopt};
}

struct Maker {
  absl::StatusOr<Made> operator()(const LearnedScorerOptions& o) const {
    TY_ASSIGN_OR_RETURN(LearnedScorer learned, MakeLearnedScorer(o));
    const LearnedScorerCard& card = learned.card;
    std::string identity =
        absl::StrCat("learned ", card.manifest_sha256, " ", card.weights_xxh3, " ",
                     absl::StrFormat("%a %a", card.mean, card.deviation));
    return Made{std::move(learned.scorer), std::move(identity), card};
  }
  absl::StatusOr<Made> operator()(const ExactMatchOptions& o) const {
    return Finish(MakeExactMatch(o), absl::StrCat("exact ", o.ignore_case, " ", o.strip));
  }
  absl::StatusOr<Made> operator()(const RegexOptions& o) const {
    return Finish(MakeRegex(o), absl::StrCat("regex ", o.pattern, " ", o.value));
  }
  absl::StatusOr<Made> operator()(const LengthOptions& o) const {
    return Finish(MakeLength(o), absl::StrCat("length ", o.min_tokens, " ", o.max_tokens, " ",
                                              o.slack_tokens));
  }
  absl::StatusOr<Made> operator()(const LexiconOptions& o) const {
    TY_ASSIGN_OR_RETURN(Lexicon lexicon, ReadLexicon(o.path));
    TY_ASSIGN_OR_RETURN(const std::string sha256, FileSha256Hex(o.path));
    return Finish(MakeLexicon(std::move(lexicon)), absl::StrCat("lexicon ", sha256));
  }
  absl::StatusOr<Made> operator()(const AbstentionOptions& o) const {
    return Finish(MakeAbstention(o),
                  absl::StrCat("abstention ", absl::StrJoin(o.patterns, "\n"), " ", o.correct, " ",
                               o.abstained, " ", o.wrong));
  }
  absl::StatusOr<Made> operator()(const ForbiddenWordsOptions& o) const {
    return Finish(MakeForbiddenWords(o),
                  absl::StrCat("forbidden ", absl::StrJoin(o.words, "\n"), " ", o.penalty));
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<Reward>> Reward::Create(const RewardOptions& options) {
  std::unique_ptr<Reward> reward(new Reward());
  TY_ASSIGN_OR_RETURN(reward->combination_, ParseCombination(options.combine));
  if (options.components.empty()) {
    return absl::InvalidArgumentError("reward.components is empty: name at least one scorer");
  }
  if (reward->combination_ == Combination::kGate && options.components.size() < 2) {
    return absl::InvalidArgumentError("reward.combine is gate: it needs a component to gate");
  }
  std::string identity = absl::StrCat("reward 1 ", static_cast<int>(reward->combination_));
  for (const ComponentOptions& component : options.components) {
    TY_RETURN_IF_ERROR(reward->Add(component, &identity));
  }
  reward->hash_ = Sha256Hex(identity);
  return reward;
}

absl::Status Reward::Add(const ComponentOptions& component, std::string* identity) {
  if (component.name.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("reward.components[", names_.size(), "] has no name"));
  }
  if (std::count(names_.begin(), names_.end(), component.name) > 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("two reward components are named \"", component.name, "\""));
  }
  if (!std::isfinite(component.weight)) {
    return absl::InvalidArgumentError(
        absl::StrCat("reward component \"", component.name, "\" has a weight that is not finite"));
  }
  auto made = std::visit(Maker(), component.scorer);
  if (!made.ok()) {
    return Annotate(made.status(), absl::StrCat("reward component \"", component.name, "\""));
  }
  absl::StrAppend(identity, "\n", component.name, " ", absl::StrFormat("%a", component.weight),
                  " ", made->identity);
  names_.push_back(component.name);
  weights_.push_back(component.weight);
  scorers_.push_back(std::move(made->scorer));
  if (made->card.has_value() && !learned_.has_value()) learned_ = made->card;
  return absl::OkStatus();
}

std::vector<ScoredItem> Reward::Score(absl::Span<const ScoreItem> items, absl::Time deadline) {
  std::vector<ScoredItem> scored(items.size());
  for (const auto& scorer : scorers_) {
    std::vector<ComponentScore> scores = scorer->Score(items, deadline);
    TY_CHECK(scores.size() == items.size());
    for (size_t i = 0; i < items.size(); ++i) scored[i].components.push_back(std::move(scores[i]));
  }
  for (size_t i = 0; i < items.size(); ++i) {
    scored[i].row = items[i].row;
    scored[i].sample = items[i].sample;
    scored[i].combined = Combine(combination_, names_, weights_, scored[i].components);
  }
  return scored;
}

}  // namespace trainyard::reward_service
