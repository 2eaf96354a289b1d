#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "model/loss.h"
#include "model/numerics.h"

namespace trainyard::model {
namespace {

class TokenScoresTest : public ::testing::Test {
 protected:
  void SetUp() override {
    SetComputeThreads(1);
    at::manual_seed(6);
    hidden_ = at::randn({64, 16}).requires_grad_(true);
    weight_ = at::randn({40, 16}).requires_grad_(true);
    query_.rows_M = at::arange(0, 60, 2);
    query_.targets_M = at::arange(30) + 5;
  }
  at::Tensor hidden_, weight_;
  TokenQuery query_;
};

// What PPO's first ratio of exactly 1 stands on.
TEST_F(TokenScoresTest, ScoringGivesTheBitsOfTraining) {
  query_.temperature = 0.7;
  const TokenScores trained = ScoreTokens(hidden_, weight_, query_);
  EXPECT_TRUE(trained.log_prob_M.requires_grad());
  const at::NoGradGuard no_grad;
  const TokenScores scored = ScoreTokens(hidden_, weight_, query_);
  EXPECT_TRUE(at::equal(trained.log_prob_M, scored.log_prob_M));
  EXPECT_TRUE(at::equal(trained.entropy_M, scored.entropy_M));
}

TEST_F(TokenScoresTest, ARowDoesNotDependOnWhichOthersAreAsked) {
  const TokenScores all = ScoreTokens(hidden_, weight_, query_);
  TokenQuery some;
  some.rows_M = query_.rows_M.narrow(0, 7, 3);
  some.targets_M = query_.targets_M.narrow(0, 7, 3);
  const TokenScores few = ScoreTokens(hidden_, weight_, some);
  EXPECT_TRUE(at::equal(few.log_prob_M, all.log_prob_M.narrow(0, 7, 3)));
  EXPECT_TRUE(at::equal(few.entropy_M, all.entropy_M.narrow(0, 7, 3)));
}

TEST_F(TokenScoresTest, ForbiddenTokensShareNoProbability) {
  TokenQuery one;
  one.rows_M = at::tensor({3}, at::kLong);
  one.mask.forbidden_ids = {0, 1, 2};
  one.mask.early_forbidden_ids = {4};
  one.mask.early_M = at::ones({1}, at::kBool);
  double total = 0, entropy = 0;
  for (int64_t id = 0; id < 40; ++id) {
    one.targets_M = at::full({1}, id, at::kLong);
    const double log_prob = ScoreTokens(hidden_, weight_, one).log_prob_M.item<double>();
    if (id < 3 || id == 4) {
      EXPECT_LT(log_prob, -1e29) << id;
      continue;
    }
    total += std::exp(log_prob);
    entropy -= std::exp(log_prob) * log_prob;
  }
  EXPECT_NEAR(total, 1.0, 1e-5);
  EXPECT_NEAR(ScoreTokens(hidden_, weight_, one).entropy_M.item<double>(), entropy, 1e-4);
}

TEST_F(TokenScoresTest, AFrozenMatrixGetsNoGradientAndTheStatesTheSame) {
  const at::Tensor frozen = hidden_.detach().clone().requires_grad_(true);
  const at::Tensor trained = hidden_.detach().clone().requires_grad_(true);
  const at::Tensor weight = weight_.detach().clone();
  const auto backward = [&](const at::Tensor& hidden) {
    const TokenScores scores = ScoreTokens(hidden, weight, query_);
    torch::autograd::backward({scores.log_prob_M.sum() + scores.entropy_M.sum()}, {});
  };
  backward(frozen);
  EXPECT_FALSE(weight.grad().defined());
  weight.requires_grad_(true);
  backward(trained);
  EXPECT_TRUE(at::equal(frozen.grad(), trained.grad()));
  EXPECT_TRUE(weight.grad().defined());
}

TEST_F(TokenScoresTest, NoRowsGiveNoScores) {
  query_.rows_M = query_.targets_M = at::empty({0}, at::kLong);
  EXPECT_EQ(ScoreTokens(hidden_, weight_, query_).log_prob_M.size(0), 0);
}

}  // namespace
}  // namespace trainyard::model
