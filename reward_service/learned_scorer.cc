#include "reward_service/learned_scorer.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/checksum.h"
#include "base/log.h"
#include "base/status.h"
#include "model/catch_torch.h"
#include "model/transformer.h"
#include "model/weights.h"

namespace trainyard::reward_service {
namespace {

class RewardModel : public Scorer {
 public:
  RewardModel(model::Model model, const LearnedScorerCard& card, int batch_tokens)
      : model_(std::move(model)), card_(card), batch_tokens_(batch_tokens) {}

  std::vector<ComponentScore> Score(absl::Span<const ScoreItem> items,
                                    absl::Time deadline) override {
    std::vector<ComponentScore> scores(items.size());
    std::vector<size_t> order;
    for (size_t i = 0; i < items.size(); ++i) {
      scores[i] = Admit(items[i]);
      if (scores[i].status == ScoreStatus::kOk) order.push_back(i);
    }
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return items[a].token_ids.size() < items[b].token_ids.size();
    });
    for (size_t begin = 0; begin < order.size();) {
      size_t end = begin, tokens = 0;
      while (end < order.size() &&
             (end == begin || tokens + items[order[end]].token_ids.size() <= batch_tokens_)) {
        tokens += items[order[end++]].token_ids.size();
      }
      const absl::Span<const size_t> batch(order.data() + begin, end - begin);
      if (absl::Now() >= deadline) {
        for (size_t i : batch) {
          scores[i] = ComponentScore::Failed(ScoreStatus::kTimeout,
                                             "the deadline passed before it was scored");
        }
      } else {
        ScoreBatch(items, batch, &scores);
      }
      begin = end;
    }
    return scores;
  }

 private:
  ComponentScore Admit(const ScoreItem& item) const {
    const int64_t size = static_cast<int64_t>(item.token_ids.size());
    if (size == 0) return ComponentScore::Failed(ScoreStatus::kRejected, "it has no tokens");
    if (size > model_.config.max_positions) {
      return ComponentScore::Failed(
          ScoreStatus::kRejected, absl::StrCat("it has ", size, " tokens, the reward model's "
                                               "context is ", model_.config.max_positions));
    }
    for (int32_t id : item.token_ids) {
      if (id < 0 || id >= model_.config.vocab_size) {
        return ComponentScore::Failed(ScoreStatus::kRejected,
                                      absl::StrCat("token id ", id, " is not in the vocabulary"));
      }
    }
    return ComponentScore();
  }

  void ScoreBatch(absl::Span<const ScoreItem> items, absl::Span<const size_t> batch,
                  std::vector<ComponentScore>* scores) const {
    std::vector<int32_t> tokens;
    std::vector<int64_t> offsets = {0}, rows;
    for (size_t i : batch) {
      tokens.insert(tokens.end(), items[i].token_ids.begin(), items[i].token_ids.end());
      offsets.push_back(static_cast<int64_t>(tokens.size()));
      rows.push_back(offsets.back() - 1);
    }
    const absl::StatusOr<std::vector<double>> raw =
        model::CatchTorch("reward model", [&] { return RawScores(tokens, offsets, rows); });
    for (size_t k = 0; k < batch.size(); ++k) {
      ComponentScore& score = (*scores)[batch[k]];
      if (!raw.ok()) {
        score = ComponentScore::Failed(ScoreStatus::kModelError,
                                       std::string(raw.status().message()));
      } else if (!std::isfinite((*raw)[k])) {
        score = ComponentScore::Failed(ScoreStatus::kModelError, "the score is not finite");
      } else {
        score.raw = (*raw)[k];
        score.value = (score.raw - card_.mean) / card_.deviation;
        score.at_token = ComponentScore::LastToken(items[batch[k]]);
      }
    }
  }

  absl::StatusOr<std::vector<double>> RawScores(absl::Span<const int32_t> tokens,
                                                absl::Span<const int64_t> offsets,
                                                const std::vector<int64_t>& rows) const {
    const c10::NoGradGuard no_grad;
    TY_ASSIGN_OR_RETURN(const model::PackedTokens packed,
                        model::PackTokens(model_.config, {tokens, offsets, {}}, at::kCPU));
    const at::Tensor hidden_ND = model::Forward(model_, packed);
    const at::Tensor rows_M = at::tensor(rows, at::kLong);
    const at::Tensor scores_M =
        model::ScalarScores(model_, hidden_ND, rows_M).to(at::kDouble).contiguous();
    const double* values = scores_M.const_data_ptr<double>();
    return std::vector<double>(values, values + rows.size());
  }

  const model::Model model_;
  const LearnedScorerCard card_;
  const size_t batch_tokens_;
};

}  // namespace

absl::StatusOr<LearnedScorer> MakeLearnedScorer(const LearnedScorerOptions& options) {
  model::LoadOptions load;
  load.dtype = at::kFloat;
  load.head = model::Head::kScalar;
  TY_ASSIGN_OR_RETURN(model::LoadedModel loaded, model::LoadModel(options.directory, load));
  for (const std::string& line : loaded.ignored) Log().info("{}: {}", options.directory, line);
  LearnedScorer learned;
  LearnedScorerCard& card = learned.card;
  card.tokenizer_sha256 = loaded.card.tokenizer_sha256;
  card.manifest_sha256 = loaded.card.training_manifest_sha256;
  if (!card.tokenizer_sha256.empty() && !options.tokenizer_sha256.empty() &&
      card.tokenizer_sha256 != options.tokenizer_sha256) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the reward model in ", options.directory, " was trained with tokenizer ",
        card.tokenizer_sha256, ", the policy uses ", options.tokenizer_sha256));
  }
  if (options.normalize && !loaded.card.normalisation.has_value()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the reward model in ", options.directory, " stores no mean and deviation: train it with "
        "a normalization source, or set learned.normalize to false"));
  }
  if (options.normalize) {
    card.mean = loaded.card.normalisation->mean;
    card.deviation = loaded.card.normalisation->deviation;
    if (!(card.deviation > 0)) {
      return absl::FailedPreconditionError(absl::StrCat(
          "the reward model in ", options.directory, " stores a deviation of ", card.deviation));
    }
  }
  const auto file = FileXxh3Hex(options.directory + "/model.safetensors");
  if (file.ok()) card.weights_xxh3 = *file;
  learned.scorer =
      std::make_unique<RewardModel>(std::move(loaded.model), card, options.batch_tokens);
  return learned;
}

}  // namespace trainyard::reward_service
