#include "rl/iteration_targets.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/cause.h"
#include "base/status.h"
#include "rl/answer_statistics.h"
#include "rl/kl.h"
#include "rl/whitening.h"

namespace trainyard::rl {
namespace {

using Trajectories = std::vector<Trajectory>;

absl::Span<const double> Row(const std::vector<double>& values, const std::vector<int64_t>& begins,
                             size_t row) {
  return absl::MakeConstSpan(values).subspan(begins[row], begins[row + 1] - begins[row]);
}

absl::Status CheckFinite(const Trajectories& trajectories, const std::vector<int64_t>& begins,
                         const std::vector<double>& values, const char* what) {
  if (static_cast<int64_t>(values.size()) != begins.back()) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": ", values.size(), " entries for ",
                                                   begins.back(), " trained tokens"));
  }
  for (size_t row = 0; row < trajectories.size(); ++row) {
    for (int64_t t = begins[row]; t < begins[row + 1]; ++t) {
      if (std::isfinite(values[t])) continue;
      return NotFiniteError(absl::StrCat(
          what, " of ledger row ", trajectories[row].row, " sample ", trajectories[row].sample,
          " at answer token ", t - begins[row], " is ", values[t]));
    }
  }
  return absl::OkStatus();
}

// The rollout's own log-probs of the trained tokens.
std::vector<double> RolloutLogProbs(const Trajectories& trajectories) {
  std::vector<double> log_probs;
  for (const Trajectory& trajectory : trajectories) {
    size_t model_token = 0;
    for (const Span& span : trajectory.spans) {
      if (span.source != SpanSource::kModel) continue;
      for (int64_t index = span.begin; index < span.end; ++index, ++model_token) {
        if (span.train) log_probs.push_back(trajectory.log_probs[model_token]);
      }
    }
  }
  return log_probs;
}

void MeasureRewards(const Trajectories& trajectories, const std::vector<bool>& excluded,
                    const RewardOptions& options, std::map<std::string, double>& metrics) {
  double raw = 0;
  double normalised = 0;
  int64_t count = 0;
  for (size_t row = 0; row < trajectories.size(); ++row) {
    if (excluded[row]) continue;
    raw += trajectories[row].reward;
    normalised += AnswerReward(trajectories[row].reward,
                               trajectories[row].finish == FinishReason::kStop, options);
    ++count;
  }
  if (count == 0) return;
  metrics["reward_score"] = raw / static_cast<double>(count);
  metrics["reward"] = normalised / static_cast<double>(count);
}

void MeasureGap(const Trajectories& trajectories, const TokenScalars& scalars,
                const std::vector<bool>& mask, std::map<std::string, double>& metrics) {
  const std::vector<double> rollout = RolloutLogProbs(trajectories);
  double sum = 0;
  double largest = 0;
  int64_t count = 0;
  for (size_t t = 0; t < rollout.size(); ++t) {
    if (!mask[t]) continue;
    const double gap = std::fabs(scalars.old_log_probs[t] - rollout[t]);
    sum += gap;
    largest = std::max(largest, gap);
    ++count;
  }
  if (count > 0) metrics["rollout_gap"] = sum / static_cast<double>(count);
  metrics["rollout_gap_max"] = largest;
}

void MeasureKl(const TokenScalars& scalars, const std::vector<int64_t>& begins,
               const std::vector<bool>& excluded, IterationTargets& targets) {
  std::vector<double> k1(begins.back());
  std::vector<double> k3(begins.back());
  for (int64_t t = 0; t < begins.back(); ++t) {
    k1[t] = K1(scalars.old_log_probs[t], scalars.reference_log_probs[t]);
    k3[t] = K3(scalars.old_log_probs[t], scalars.reference_log_probs[t]);
  }
  targets.kl_k1 = MeanOfSampleSums(k1, begins, excluded);
  targets.metrics["kl"] = targets.kl_k1;
  targets.metrics["kl_k3"] = MeanOfSampleSums(k3, begins, excluded);
  targets.metrics["kl_per_token"] = MaskedMoments(k1, targets.token_mask).mean;
}

// Token rewards of all rows that count; zeros elsewhere.
std::vector<double> AssembleRewards(const Trajectories& trajectories, const TokenScalars& scalars,
                                    const std::vector<int64_t>& begins,
                                    const std::vector<bool>& excluded,
                                    const TargetOptions& options) {
  std::vector<double> rewards(begins.back(), 0.0);
  for (size_t row = 0; row < trajectories.size(); ++row) {
    if (excluded[row]) continue;
    const double answer =
        AnswerReward(trajectories[row].reward,
                     trajectories[row].finish == FinishReason::kStop, options.reward);
    TokenRewards(answer, options.beta, Row(scalars.old_log_probs, begins, row),
                 Row(scalars.reference_log_probs, begins, row),
                 absl::MakeSpan(rewards).subspan(begins[row], begins[row + 1] - begins[row]));
  }
  return rewards;
}

void Advantages(const std::vector<double>& rewards, const TokenScalars& scalars,
                const std::vector<int64_t>& begins, const TargetOptions& options,
                IterationTargets& targets) {
  targets.advantages.assign(begins.back(), 0.0);
  targets.returns.assign(begins.back(), 0.0);
  for (size_t row = 0; row + 1 < begins.size(); ++row) {
    GeneralisedAdvantages(
        Row(rewards, begins, row), Row(scalars.old_values, begins, row), options.gae,
        absl::MakeSpan(targets.advantages).subspan(begins[row], begins[row + 1] - begins[row]));
  }
  for (int64_t t = 0; t < begins.back(); ++t) {
    targets.returns[t] = targets.advantages[t] + scalars.old_values[t];
  }
  const Moments moments = MaskedMoments(targets.advantages, targets.token_mask);
  targets.metrics["advantage_mean"] = moments.mean;
  targets.metrics["advantage_std"] = std::sqrt(moments.variance);
  targets.metrics["explained_variance"] =
      ExplainedVariance(targets.returns, scalars.old_values, targets.token_mask);
  if (options.whiten_advantages) {
    Whiten(targets.token_mask, /*keep_mean=*/false, absl::MakeSpan(targets.advantages));
    return;
  }
  for (int64_t t = 0; t < begins.back(); ++t) {
    if (!targets.token_mask[t]) targets.advantages[t] = 0;
  }
}

}  // namespace

std::vector<int64_t> TokenBegins(const Trajectories& trajectories) {
  std::vector<int64_t> begins = {0};
  for (const Trajectory& trajectory : trajectories) {
    begins.push_back(begins.back() + static_cast<int64_t>(TrainedTokens(trajectory).size()));
  }
  return begins;
}

std::vector<std::string> ExclusionReasons(const Trajectories& trajectories,
                                          NoEndRule no_end_rule) {
  std::vector<std::string> reasons;
  for (const Trajectory& trajectory : trajectories) {
    if (trajectory.status != ScoreStatus::kOk) {
      reasons.push_back(ScoreStatusName(trajectory.status));
    } else if (no_end_rule == NoEndRule::kMaskOut && trajectory.finish == FinishReason::kLength) {
      reasons.push_back("NO_END");
    } else {
      reasons.emplace_back();
    }
  }
  return reasons;
}

absl::StatusOr<IterationTargets> ComputeTargets(const Trajectories& trajectories,
                                                const TokenScalars& scalars,
                                                const TargetOptions& options) {
  const std::vector<int64_t> begins = TokenBegins(trajectories);
  TY_RETURN_IF_ERROR(
      CheckFinite(trajectories, begins, scalars.old_log_probs, "log-prob of the policy"));
  TY_RETURN_IF_ERROR(
      CheckFinite(trajectories, begins, scalars.reference_log_probs, "log-prob of the reference"));
  TY_RETURN_IF_ERROR(CheckFinite(trajectories, begins, scalars.old_values, "value"));

  for (const Trajectory& trajectory : trajectories) {
    if (trajectory.status != ScoreStatus::kOk || std::isfinite(trajectory.reward)) continue;
    return NotFiniteError(absl::StrCat("score of ledger row ", trajectory.row, " sample ",
                                       trajectory.sample, " is ", trajectory.reward));
  }

  IterationTargets targets;
  targets.token_mask.assign(begins.back(), true);
  std::vector<bool> excluded;
  for (const std::string& reason :
       ExclusionReasons(trajectories, options.reward.no_end_rule)) {
    const size_t row = excluded.size();
    excluded.push_back(!reason.empty());
    targets.samples += reason.empty();
    if (reason.empty()) continue;
    std::fill(targets.token_mask.begin() + begins[row],
              targets.token_mask.begin() + begins[row + 1], false);
  }
  if (targets.samples == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "all ", trajectories.size(), " samples are excluded; look at the reward failures"));
  }
  std::vector<double> rewards = AssembleRewards(trajectories, scalars, begins, excluded, options);
  if (options.whiten_rewards) {
    Whiten(targets.token_mask, /*keep_mean=*/true, absl::MakeSpan(rewards));
  }
  MeasureRewards(trajectories, excluded, options.reward, targets.metrics);
  targets.metrics["reward_after_kl"] = MeanOfSampleSums(rewards, begins, excluded);
  MeasureGap(trajectories, scalars, targets.token_mask, targets.metrics);
  MeasureKl(scalars, begins, excluded, targets);
  Advantages(rewards, scalars, begins, options, targets);
  const AnswerStatistics answers = Describe(trajectories);
  targets.metrics["answer_tokens"] = answers.mean_tokens;
  targets.metrics["no_end_share"] = answers.no_end_share;
  targets.metrics["repeated_3gram_share"] = answers.repeated_3gram_share;
  return targets;
}

}  // namespace trainyard::rl
