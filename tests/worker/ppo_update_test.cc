#include "worker/ppo_update.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "base/cause.h"
#include "collective/local_group.h"
#include "model/loss.h"
#include "model/weights.h"
#include "tests/worker/learner_fixture.h"
#include "worker/ppo_rows.h"

namespace trainyard::worker {
namespace {

using checkpoint::DType;

// The models and optimizers of one rank.
class Rank {
 public:
  Rank(const TinyModels& tiny, const LearnerOptions& options, collective::Group* group)
      : options_(options), group_(group) {
    const at::ScalarType type = options.dtype == DType::kF64    ? at::kDouble
                                : options.dtype == DType::kBF16 ? at::kBFloat16
                                                                : at::kFloat;
    policy_ = model::LoadModel(tiny.models().policy, {.dtype = type})->model;
    reference_ = model::CloneModel(policy_, type, at::kCPU);
    critic_ = model::LoadModel(tiny.models().critic, {.dtype = type})->model;
    policy_set_ = Optimize(policy_, "policy", options.actor);
    critic_set_ = Optimize(critic_, "critic", options.critic);
  }
  PpoUpdateOutcome Run(const UpdateInput& input) {
    progress_.clear();
    sums_.clear();
    return RunPpoUpdate(input, options_,
                        {&policy_, &reference_, &critic_, policy_set_.get(), critic_set_.get(),
                         group_},
                        [this](const MinibatchProgress& step) {
                          progress_.push_back(step);
                          sums_.push_back(PolicySum() + CriticSum());
                        });
  }
  // As a rollout with the same weights and definition would have drawn them.
  void FillLogProbs(UpdateInput& input) const {
    c10::NoGradGuard no_grad;
    const std::vector<int64_t> begins = rl::TokenBegins(input.trajectories);
    for (size_t row = 0; row < input.trajectories.size(); ++row) {
      const auto rows = PackRows({input.trajectories, begins}, {static_cast<int64_t>(row)},
                                 policy_, options_.policy);
      const at::Tensor log_prob_M =
          model::ScoreTokens(model::Forward(policy_, rows->tokens), model::LmHeadWeight(policy_),
                             rows->query).log_prob_M.to(at::kFloat);
      for (int64_t i = 0; i < log_prob_M.size(0); ++i) {
        input.trajectories[row].log_probs[i] = log_prob_M[i].item<float>();
      }
    }
  }

  const std::vector<MinibatchProgress>& progress() const { return progress_; }
  // Of the weights of both models after each of them.
  const std::vector<double>& sums() const { return sums_; }
  model::Model& policy() { return policy_; }
  // Of all weights: other sums mean other weights.
  double PolicySum() const { return Sum(policy_); }
  double CriticSum() const { return Sum(critic_); }

 private:
  std::unique_ptr<ParameterSet> Optimize(const model::Model& model, const std::string& name,
                                         const LearnerOptimizer& optimizer) const {
    model::SetRequiresGrad(model, true);
    return *ParameterSet::Create(
        model::Parameters(model), group_,
        {.name = name, .adamw = optimizer.adamw, .clip_norm = optimizer.clip_norm});
  }
  static double Sum(const model::Model& model) {
    double sum = 0;
    for (const NamedTensor& parameter : model::Parameters(model)) {
      sum += parameter.tensor.detach().to(at::kDouble).sum().item<double>();
    }
    return sum;
  }

  const LearnerOptions options_;
  collective::Group* const group_;
  model::Model policy_, reference_, critic_;
  std::unique_ptr<ParameterSet> policy_set_, critic_set_;
  std::vector<MinibatchProgress> progress_;
  std::vector<double> sums_;
};

class PpoUpdateTest : public ::testing::Test {
 protected:
  std::unique_ptr<Rank> Make() { return std::make_unique<Rank>(tiny_, options_, group_.get()); }
  static bool Says(const absl::Status& status, const std::string& text) {
    return status.message().find(text) != std::string::npos;
  }

  const TinyModels tiny_;
  LearnerOptions options_ = TinyOptions(DType::kF32);
  const std::unique_ptr<collective::Group> group_ = collective::SingleRankGroup();
};

TEST_F(PpoUpdateTest, TheFirstMinibatchsRatioIsBitwiseOne) {
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF64}) {
    options_ = TinyOptions(dtype);
    const auto rank = Make();
    for (int64_t iteration = 0; iteration < 3; ++iteration) {
      const PpoUpdateOutcome outcome = rank->Run(TinyUpdate(iteration, 17, 1));
      ASSERT_TRUE(outcome.status.ok()) << outcome.status;
      EXPECT_TRUE(outcome.stepped);
      EXPECT_EQ(outcome.metrics.at("first_ratio_distance"), 0.0);
      EXPECT_NE(outcome.metrics.at("ratio_max"), 1.0) << "later minibatches have moved";
      EXPECT_EQ(outcome.metrics.at("optimizer_steps"), 6);
    }
  }
}

TEST_F(PpoUpdateTest, OnEveryRankTheFirstRatioIsOneAlsoWhereThereAreNoRows) {
  auto groups = collective::LocalGroups(4, absl::Seconds(60));
  std::vector<std::thread> threads;
  for (int index = 0; index < 4; ++index) {
    threads.emplace_back([&, index] {
      Rank rank(tiny_, options_, groups[index].get());
      for (const int64_t rows : {9, 2}) {
        const PpoUpdateOutcome outcome = rank.Run(TinyUpdate(0, rows, 4));
        EXPECT_TRUE(outcome.status.ok()) << outcome.status;
        EXPECT_EQ(outcome.metrics.at("first_ratio_distance"), 0.0);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(PpoUpdateTest, MinibatchesAreReportedInOrderAndTheIterationIsTheirMeanOverTokens) {
  options_.actor.schedule.peak = 0.02;
  options_.critic.schedule.peak = 0.02;
  const auto rank = Make();
  const UpdateInput input = TinyUpdate(0, 17, 1);
  const PpoUpdateOutcome outcome = rank->Run(input);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  std::map<std::string, double> sums;
  double tokens = 0;
  size_t reported = 0;
  for (size_t pass = 0; pass < input.plan.passes.size(); ++pass) {
    for (size_t i = 0; i < input.plan.passes[pass].size(); ++i) {
      ASSERT_LT(reported, rank->progress().size());
      const MinibatchProgress& step = rank->progress()[reported++];
      EXPECT_EQ(step.pass, static_cast<int64_t>(pass));
      EXPECT_EQ(step.minibatch, static_cast<int64_t>(i));
      const auto trained = static_cast<double>(input.plan.passes[pass][i].trained_tokens);
      tokens += trained;
      for (const auto& [name, value] : step.metrics) sums[name] += trained * value;
    }
  }
  EXPECT_EQ(reported, rank->progress().size());
  const auto& first = rank->progress().front().metrics;
  EXPECT_EQ(first.at("clip_fraction"), 0) << "nothing has moved yet";
  EXPECT_EQ(first.at("value_clip_fraction"), 0);
  EXPECT_EQ(first.at("ratio_mean"), 1);
  for (const char* name : {"clip_fraction", "value_clip_fraction", "policy_loss", "value_loss",
                           "ratio_mean", "entropy", "kl_old_k3", "kl_now_per_token"}) {
    EXPECT_NEAR(outcome.metrics.at(name), sums[name] / tokens, 1e-9) << name;
  }
  EXPECT_GT(outcome.metrics.at("clip_fraction"), 0);
  EXPECT_LT(outcome.metrics.at("clip_fraction"), 1);
  EXPECT_GT(outcome.metrics.at("value_clip_fraction"), 0);
}

TEST_F(PpoUpdateTest, WarmUpOfTheCriticLeavesThePolicyAlone) {
  const auto rank = Make();
  const double policy = rank->PolicySum(), critic = rank->CriticSum();
  UpdateInput input = TinyUpdate(0, 9, 1);
  input.critic_only = true;
  const PpoUpdateOutcome outcome = rank->Run(input);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_EQ(rank->PolicySum(), policy);
  EXPECT_NE(rank->CriticSum(), critic);
  EXPECT_EQ(outcome.metrics.count("policy_loss"), 0);
  EXPECT_EQ(outcome.metrics.count("value_loss"), 1);
}

TEST_F(PpoUpdateTest, TheKlLimitEndsTheIterationBeforeTheStepThatBrokeIt) {
  options_.actor.schedule.peak = 0.05;
  options_.kl_stop = 1e-3;
  const auto rank = Make();
  const double before = rank->PolicySum() + rank->CriticSum();
  const PpoUpdateOutcome outcome = rank->Run(TinyUpdate(0, 18, 1));
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_EQ(outcome.metrics.at("stopped_early"), 1);
  EXPECT_EQ(outcome.metrics.at("optimizer_steps"), 1);
  EXPECT_EQ(rank->progress().size(), 2) << "the one that broke it was measured";
  EXPECT_NE(rank->sums()[0], before);
  EXPECT_EQ(rank->sums()[1], rank->sums()[0]) << "nothing was updated by it";
}

TEST_F(PpoUpdateTest, TheGapToTheRolloutIsMeasuredAndGated) {
  options_.rollout_gap_limit = 1e-4;
  const auto rank = Make();
  const double before = rank->PolicySum();
  UpdateInput input = TinyUpdate(0, 9, 1);
  const PpoUpdateOutcome refused = rank->Run(input);
  EXPECT_TRUE(absl::IsFailedPrecondition(refused.status)) << refused.status;
  EXPECT_TRUE(Says(refused.status, "log-probs of rollout and learner differ")) << refused.status;
  EXPECT_FALSE(refused.stepped);
  EXPECT_EQ(rank->PolicySum(), before);
  rank->FillLogProbs(input);
  const PpoUpdateOutcome outcome = rank->Run(input);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_LT(outcome.metrics.at("rollout_gap"), 1e-6);
}

TEST_F(PpoUpdateTest, ARewardThatIsNotFiniteIsNamedBeforeAnyStep) {
  const auto rank = Make();
  const double before = rank->PolicySum();
  UpdateInput input = TinyUpdate(0, 9, 1);
  input.trajectories[3].reward = NAN;
  const PpoUpdateOutcome outcome = rank->Run(input);
  EXPECT_TRUE(absl::IsDataLoss(outcome.status)) << outcome.status;
  EXPECT_TRUE(Says(outcome.status, "ledger row 3 sample 0")) << outcome.status;
  EXPECT_FALSE(outcome.stepped);
  EXPECT_EQ(rank->PolicySum(), before);
}

TEST_F(PpoUpdateTest, AWeightThatIsNotFiniteEndsItBeforeAnyStep) {
  const auto rank = Make();
  rank->policy().final_norm_weight_D.detach().fill_(NAN);
  const PpoUpdateOutcome outcome = rank->Run(TinyUpdate(0, 9, 1));
  EXPECT_TRUE(absl::IsDataLoss(outcome.status)) << outcome.status;
  EXPECT_FALSE(outcome.stepped);
  EXPECT_TRUE(rank->progress().empty());
}

TEST_F(PpoUpdateTest, AfterAStepTheModelsAreBetweenVersionsAndTheOutcomeSaysSo) {
  options_.actor.schedule.peak = 1e30;  // the second minibatch finds ruins
  options_.actor.schedule.warmup_steps = 0;
  const PpoUpdateOutcome outcome = Make()->Run(TinyUpdate(0, 17, 1));
  EXPECT_TRUE(absl::IsDataLoss(outcome.status)) << outcome.status;
  EXPECT_EQ(CauseOf(outcome.status), EndClass::kNan);
  EXPECT_TRUE(outcome.stepped);
}

TEST_F(PpoUpdateTest, InputThatContradictsItselfIsRefused) {
  const auto rank = Make();
  UpdateInput no_pass = TinyUpdate(0, 9, 1);
  no_pass.plan.passes.clear();
  UpdateInput other_world = TinyUpdate(0, 9, 2);
  UpdateInput foreign_token = TinyUpdate(0, 9, 1);
  foreign_token.trajectories[2].token_ids[0] = kVocabulary;
  UpdateInput wrong_count = TinyUpdate(0, 9, 1);
  wrong_count.plan.passes[0][0].trained_tokens += 1;
  UpdateInput forbidden = TinyUpdate(0, 9, 1);
  forbidden.trajectories[1].token_ids[forbidden.trajectories[1].spans[1].begin] = kForbiddenId;
  for (const UpdateInput& input : {no_pass, other_world, foreign_token, wrong_count, forbidden}) {
    const PpoUpdateOutcome outcome = rank->Run(input);
    EXPECT_TRUE(absl::IsInvalidArgument(outcome.status)) << outcome.status;
    EXPECT_FALSE(outcome.stepped);
  }
}

TEST_F(PpoUpdateTest, AnswersWithoutAScoreTrainNothingAndAreCounted) {
  options_.targets.reward.no_end_rule = rl::NoEndRule::kMaskOut;  // every fifth has no end
  UpdateInput input = TinyUpdate(0, 10, 1);
  std::vector<rl::PlanRow> plan_rows;
  for (const rl::Trajectory& trajectory : input.trajectories) {
    const bool counts = trajectory.finish == rl::FinishReason::kStop;
    plan_rows.push_back(
        {static_cast<int64_t>(trajectory.token_ids.size()),
         counts ? static_cast<int64_t>(rl::TrainedTokens(trajectory).size()) : 0});
  }
  input.plan = *rl::MakeIterationPlan(plan_rows, {.seed = 5, .minibatch_rows = 6});
  const PpoUpdateOutcome outcome = Make()->Run(input);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_EQ(outcome.metrics.at("trained_samples"), 8);
  EXPECT_EQ(outcome.metrics.at("excluded_samples"), 2);
}

}  // namespace
}  // namespace trainyard::worker
