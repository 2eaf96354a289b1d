#include "worker/ppo_update.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/cause.h"
#include "base/status.h"
#include "model/adapters.h"
#include "model/catch_torch.h"
#include "model/loss.h"
#include "worker/objective_ppo.h"
#include "worker/ppo_rows.h"

namespace trainyard::worker {
namespace {

// What a minibatch or an iteration sums over its trained tokens, and two maxima at the end.
struct Totals {
  enum Field { kLoss, kRatio, kClipped, kEntropy, kKlOld, kKlReference, kValueLoss, kValueClipped,
               kRatioMax, kRatioDistance, kFields };
  std::array<double, kFields> values = {};
  int64_t tokens = 0;

  void Add(const std::array<double, kFields>& other) {
    for (int i = 0; i < kRatioMax; ++i) values[i] += other[i];
    for (int i = kRatioMax; i < kFields; ++i) values[i] = std::max(values[i], other[i]);
  }
  double Mean(Field field) const {
    return tokens == 0 ? 0 : values[field] / static_cast<double>(tokens);
  }
};

void Describe(const Totals& totals, bool critic_only, std::map<std::string, double>& metrics) {
  metrics["value_loss"] = totals.Mean(Totals::kValueLoss);
  metrics["value_clip_fraction"] = totals.Mean(Totals::kValueClipped);
  if (critic_only) return;
  metrics["policy_loss"] = totals.Mean(Totals::kLoss);
  metrics["ratio_mean"] = totals.Mean(Totals::kRatio);
  metrics["ratio_max"] = totals.values[Totals::kRatioMax];
  metrics["clip_fraction"] = totals.Mean(Totals::kClipped);
  metrics["entropy"] = totals.Mean(Totals::kEntropy);
  metrics["kl_old_k3"] = totals.Mean(Totals::kKlOld);
  metrics["kl_now_per_token"] = totals.Mean(Totals::kKlReference);
}

class Update {
 public:
  Update(const UpdateInput& input, const LearnerOptions& options, const PpoModels& models)
      : input_(input),
        options_(options),
        models_(models),
        begins_(rl::TokenBegins(input.trajectories)),
        rank_(models.group->rank()),
        type_(models.policy->token_embedding_VD.scalar_type() == at::kDouble ? at::kDouble
                                                                             : at::kFloat),
        device_(models.policy->token_embedding_VD.device()) {}

  absl::Status Run(const ProgressSink& progress);
  PpoUpdateOutcome Outcome(absl::Status status) const {
    return {std::move(status), stepped_, metrics_};
  }

 private:
  using Scalars = std::array<std::vector<double>, 3>;  // old, reference, value by own token

  absl::Status CheckInput();
  std::vector<rl::RowIndices> MicroBatches(const rl::Minibatch& minibatch) const {
    return rl::CutMicroBatches(minibatch.shares[rank_], plan_rows_, options_.micro_batch_tokens);
  }
  absl::StatusOr<PpoRows> Pack(const rl::RowIndices& members) const {
    return PackRows({input_.trajectories, begins_}, members, *models_.policy, options_.policy);
  }
  absl::StatusOr<Scalars> ScoreOwnRows() const;
  absl::StatusOr<rl::TokenScalars> Gather(const Scalars& own) const;
  absl::Status ComputeTargets();
  absl::StatusOr<Totals> TrainMinibatch(const rl::Minibatch& minibatch);
  absl::Status PolicyBackward(const std::vector<PpoRows>& batches, Totals& totals);
  absl::Status CriticBackward(const std::vector<PpoRows>& batches, Totals& totals);
  absl::Status Share(Totals& totals) const;
  absl::Status Step(const Totals& totals);
  at::Tensor Pick(const std::vector<double>& values, const std::vector<int64_t>& places) const;

  const UpdateInput& input_;
  const LearnerOptions& options_;
  const PpoModels& models_;
  const std::vector<int64_t> begins_;
  const int rank_;
  const at::ScalarType type_;  // of log-probs and values
  const at::Device device_;
  std::vector<rl::PlanRow> plan_rows_;
  rl::TokenScalars scalars_;
  rl::IterationTargets targets_;
  std::map<std::string, double> metrics_;
  bool stopped_early_ = false;
  bool stepped_ = false;
};

absl::Status Update::CheckInput() {
  const auto reasons =
      rl::ExclusionReasons(input_.trajectories, options_.targets.reward.no_end_rule);
  for (size_t row = 0; row < input_.trajectories.size(); ++row) {
    const rl::Trajectory& trajectory = input_.trajectories[row];
    TY_RETURN_IF_ERROR(rl::ValidateTrajectory(trajectory, models_.policy->config.vocab_size));
    plan_rows_.push_back(
        {.tokens = static_cast<int64_t>(trajectory.token_ids.size()),
         .trained_tokens = reasons[row].empty() ? begins_[row + 1] - begins_[row] : 0});
  }
  if (input_.plan.passes.empty()) return absl::InvalidArgumentError("plan: there is no pass");
  return rl::ValidatePlan(input_.plan, plan_rows_, models_.group->world_size());
}

// The forward of training, over the very micro-batches of the first pass: the same bits.
absl::StatusOr<Update::Scalars> Update::ScoreOwnRows() const {
  c10::NoGradGuard no_grad;
  Scalars own;
  auto append = [](const at::Tensor& values_M, std::vector<double>& to) {
    const at::Tensor host_M = values_M.to(at::kCPU, at::kDouble).contiguous();
    to.insert(to.end(), host_M.const_data_ptr<double>(),
              host_M.const_data_ptr<double>() + host_M.numel());
  };
  for (const rl::Minibatch& minibatch : input_.plan.passes.front()) {
    for (const rl::RowIndices& members : MicroBatches(minibatch)) {
      TY_ASSIGN_OR_RETURN(const PpoRows rows, Pack(members));
      int slot = 0;
      for (const model::Model* model : {models_.policy, models_.reference}) {
        const at::Tensor hidden_ND = model::Forward(*model, rows.tokens);
        append(model::ScoreTokens(hidden_ND, model::LmHeadWeight(*model), rows.query).log_prob_M,
               own[slot++]);
      }
      const at::Tensor hidden_ND = model::Forward(*models_.critic, rows.tokens);
      append(model::ScalarScores(*models_.critic, hidden_ND, rows.query.rows_M), own[2]);
    }
  }
  return own;
}

// Each rank's scalars lie in the order of its shares; all ranks know all shares.
absl::StatusOr<rl::TokenScalars> Update::Gather(const Scalars& own) const {
  const int world_size = models_.group->world_size();
  std::vector<std::vector<int64_t>> places(world_size);
  for (const rl::Minibatch& minibatch : input_.plan.passes.front()) {
    for (int rank = 0; rank < world_size; ++rank) {
      for (int64_t row : minibatch.shares[rank]) {
        for (int64_t t = begins_[row]; t < begins_[row + 1]; ++t) places[rank].push_back(t);
      }
    }
  }
  size_t longest = 0;
  for (const auto& tokens : places) longest = std::max(longest, tokens.size());
  const int64_t width = static_cast<int64_t>(longest);
  const at::Tensor mine = at::zeros({3, width}, at::kDouble);
  const at::Tensor all = at::zeros({3 * world_size, width}, at::kDouble);
  for (int i = 0; i < 3; ++i) {
    TY_CHECK(own[i].size() == places[rank_].size());
    std::copy(own[i].begin(), own[i].end(), mine.data_ptr<double>() + i * width);
  }
  const at::Tensor gathered = all.to(device_);
  TY_RETURN_IF_ERROR(models_.group->AllGather(mine.to(device_), gathered));
  const at::Tensor host = gathered.to(at::kCPU);

  rl::TokenScalars scalars;
  std::vector<double>* const arrays[] = {&scalars.old_log_probs, &scalars.reference_log_probs,
                                         &scalars.old_values};
  for (int i = 0; i < 3; ++i) {
    arrays[i]->assign(begins_.back(), 0.0);
    for (int rank = 0; rank < world_size; ++rank) {
      const double* const row = host.const_data_ptr<double>() + (rank * 3 + i) * width;
      for (size_t k = 0; k < places[rank].size(); ++k) (*arrays[i])[places[rank][k]] = row[k];
    }
  }
  return scalars;
}

absl::Status Update::ComputeTargets() {
  TY_ASSIGN_OR_RETURN(const Scalars own, ScoreOwnRows());
  TY_ASSIGN_OR_RETURN(scalars_, Gather(own));
  rl::TargetOptions options = options_.targets;
  options.beta = input_.beta;
  TY_ASSIGN_OR_RETURN(targets_, rl::ComputeTargets(input_.trajectories, scalars_, options));
  metrics_ = targets_.metrics;
  const double gap = metrics_.at("rollout_gap");
  if (options_.rollout_gap_limit > 0 && gap > options_.rollout_gap_limit) {
    return absl::FailedPreconditionError(absl::StrCat(
        "log-probs of rollout and learner differ by ", gap, " in the mean, limit ",
        options_.rollout_gap_limit,
        ": they do not run the same weights, temperature, masks or numerics"));
  }
  return absl::OkStatus();
}

at::Tensor Update::Pick(const std::vector<double>& values,
                        const std::vector<int64_t>& places) const {
  std::vector<double> picked;
  picked.reserve(places.size());
  for (int64_t place : places) picked.push_back(values[place]);
  return at::tensor(picked, at::kDouble).to(device_, type_);
}

absl::Status Update::PolicyBackward(const std::vector<PpoRows>& batches, Totals& totals) {
  models_.policy_set->BeginStep();
  for (size_t i = 0; i < batches.size(); ++i) {
    const PpoRows& rows = batches[i];
    const at::Tensor hidden_ND = model::Forward(*models_.policy, rows.tokens);
    const model::TokenScores scores =
        model::ScoreTokens(hidden_ND, model::LmHeadWeight(*models_.policy), rows.query);
    const PolicyTargets targets = {Pick(scalars_.old_log_probs, rows.places_M),
                                   Pick(scalars_.reference_log_probs, rows.places_M),
                                   Pick(targets_.advantages, rows.places_M)};
    const PolicyLoss loss =
        ComputePolicyLoss(scores.log_prob_M, scores.entropy_M, targets, options_.loss);
    const PolicySums& sums = loss.sums;
    totals.Add({sums.loss, sums.ratio, sums.clipped, sums.entropy, sums.kl_old_k3,
                sums.kl_reference, 0, 0, sums.ratio_max, sums.ratio_distance_max});
    models_.policy_set->BeginMicroBatch(/*last=*/i + 1 == batches.size());
    loss.loss_sum.backward();
  }
  models_.policy_set->Launch();
  return absl::OkStatus();
}

absl::Status Update::CriticBackward(const std::vector<PpoRows>& batches, Totals& totals) {
  models_.critic_set->BeginStep();
  for (size_t i = 0; i < batches.size(); ++i) {
    const PpoRows& rows = batches[i];
    const at::Tensor hidden_ND = model::Forward(*models_.critic, rows.tokens);
    const at::Tensor value_M = model::ScalarScores(*models_.critic, hidden_ND, rows.query.rows_M);
    const ValueLoss loss =
        ComputeValueLoss(value_M, Pick(scalars_.old_values, rows.places_M),
                         Pick(targets_.returns, rows.places_M), options_.loss);
    totals.Add({0, 0, 0, 0, 0, 0, loss.loss, loss.clipped, 0, 0});
    models_.critic_set->BeginMicroBatch(/*last=*/i + 1 == batches.size());
    loss.loss_sum.backward();
  }
  models_.critic_set->Launch();
  return absl::OkStatus();
}

// Sums over ranks, in the order of ranks on every rank.
absl::Status Update::Share(Totals& totals) const {
  const int world_size = models_.group->world_size();
  const at::Tensor mine = at::tensor(at::ArrayRef<double>(totals.values.data(), Totals::kFields),
                                     at::kDouble).view({1, Totals::kFields}).to(device_);
  const at::Tensor all = at::zeros({world_size, Totals::kFields}, mine.options());
  TY_RETURN_IF_ERROR(models_.group->AllGather(mine, all));
  const at::Tensor host = all.to(at::kCPU);
  totals.values = {};
  for (int rank = 0; rank < world_size; ++rank) {
    std::array<double, Totals::kFields> row;
    std::copy_n(host.const_data_ptr<double>() + rank * Totals::kFields, Totals::kFields,
                row.begin());
    totals.Add(row);
  }
  return absl::OkStatus();
}

absl::Status Update::Step(const Totals& totals) {
  std::vector<std::pair<ParameterSet*, const LearnerOptimizer*>> sets;
  if (!input_.critic_only) sets.emplace_back(models_.policy_set, &options_.actor);
  sets.emplace_back(models_.critic_set, &options_.critic);
  // Both sums are waited for and looked at before either optimizer moves.
  absl::Status broken;
  for (const auto& [set, optimizer] : sets) {
    const absl::StatusOr<double> norm = set->Finish(static_cast<double>(totals.tokens));
    broken.Update(norm.status());
    if (norm.ok()) {
      metrics_[set == models_.policy_set ? "policy_grad_norm" : "critic_grad_norm"] = *norm;
    }
  }
  TY_RETURN_IF_ERROR(broken);
  for (double value : totals.values) {
    if (std::isfinite(value)) continue;
    return NotFiniteError(absl::StrCat(
        "a loss of the minibatch is not finite (policy ", totals.Mean(Totals::kLoss), ", value ",
        totals.Mean(Totals::kValueLoss), "); no optimizer step was taken"));
  }
  if (stopped_early_) return absl::OkStatus();
  stepped_ = true;
  for (const auto& [set, optimizer] : sets) {
    const double rate = optimizer->schedule.LearningRate(set->optimizer().step_count());
    metrics_[set == models_.policy_set ? "policy_lr" : "critic_lr"] = rate;
    set->Update(rate);
  }
  if (!input_.critic_only) model::RefreshMerged(*models_.policy, *models_.reference);
  return absl::OkStatus();
}

absl::StatusOr<Totals> Update::TrainMinibatch(const rl::Minibatch& minibatch) {
  std::vector<PpoRows> batches;
  for (const rl::RowIndices& members : MicroBatches(minibatch)) {
    TY_ASSIGN_OR_RETURN(PpoRows rows, Pack(members));
    batches.push_back(std::move(rows));
  }
  Totals totals;
  if (!input_.critic_only) TY_RETURN_IF_ERROR(PolicyBackward(batches, totals));
  TY_RETURN_IF_ERROR(CriticBackward(batches, totals));
  totals.tokens = minibatch.trained_tokens;
  TY_RETURN_IF_ERROR(Share(totals));
  stopped_early_ = options_.kl_stop > 0 && !input_.critic_only &&
                   totals.Mean(Totals::kKlOld) > options_.kl_stop;
  TY_RETURN_IF_ERROR(Step(totals));
  return totals;
}

absl::Status Update::Run(const ProgressSink& progress) {
  TY_RETURN_IF_ERROR(CheckInput());
  TY_RETURN_IF_ERROR(ComputeTargets());
  Totals iteration;
  int64_t steps = 0;
  for (size_t pass = 0; pass < input_.plan.passes.size() && !stopped_early_; ++pass) {
    const auto& minibatches = input_.plan.passes[pass];
    for (size_t i = 0; i < minibatches.size() && !stopped_early_; ++i) {
      TY_ASSIGN_OR_RETURN(const Totals totals, TrainMinibatch(minibatches[i]));
      if (pass == 0 && i == 0) {
        metrics_["first_ratio_distance"] = totals.values[Totals::kRatioDistance];
      }
      iteration.Add(totals.values);
      iteration.tokens += totals.tokens;
      steps += !stopped_early_;
      MinibatchProgress step = {static_cast<int64_t>(pass), static_cast<int64_t>(i), {}};
      Describe(totals, input_.critic_only, step.metrics);
      progress(step);
    }
  }
  Describe(iteration, input_.critic_only, metrics_);
  metrics_["optimizer_steps"] = static_cast<double>(steps);
  metrics_["stopped_early"] = stopped_early_ ? 1 : 0;
  metrics_["trained_samples"] = static_cast<double>(targets_.samples);
  metrics_["excluded_samples"] =
      static_cast<double>(static_cast<int64_t>(input_.trajectories.size()) - targets_.samples);
  metrics_["trained_tokens"] = static_cast<double>(
      std::count(targets_.token_mask.begin(), targets_.token_mask.end(), true));
  return absl::OkStatus();
}

}  // namespace

PpoUpdateOutcome RunPpoUpdate(const UpdateInput& input, const LearnerOptions& options,
                              const PpoModels& models, const ProgressSink& progress) {
  Update update(input, options, models);
  absl::Status status = model::CatchTorch("PPO update", [&] { return update.Run(progress); });
  return update.Outcome(std::move(status));
}

}  // namespace trainyard::worker
