#include "model/composite_logits.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "model/numerics.h"

namespace trainyard::model {
namespace {

class CompositeLogitsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    SetComputeThreads(1);
    at::manual_seed(8);
    logits_ = at::randn({16, 70}, at::kDouble);
    logits_.index_fill_(1, at::tensor({0, 3}, at::kLong), kForbiddenLogit * 0.7);
    targets_ = at::arange(16) + 5;
  }

  static LogitScores Empty() {
    const auto options = at::TensorOptions().dtype(at::kDouble);
    return {at::empty({16}, options), at::empty({16}, options), at::empty({16}, options)};
  }
  static void ExpectClose(const at::Tensor& a, const at::Tensor& b) {
    EXPECT_LT((a - b).abs().max().item<double>(), 1e-12);
  }

  at::Tensor logits_, targets_;
};

TEST_F(CompositeLogitsTest, CrossEntropyAgreesWithTheKernels) {
  const CrossEntropyRows rows{targets_, at::rand({16}, at::kDouble), 0.01};
  at::Tensor ours, theirs;
  const at::Tensor loss = CrossEntropyWithGradient(logits_.clone(), rows, at::kDouble, &ours);
  ExpectClose(loss,
              composite::CrossEntropyWithGradient(logits_.clone(), rows, at::kDouble, &theirs));
  ExpectClose(loss, composite::CrossEntropyOfLogits(logits_, rows));
  ExpectClose(ours, theirs);
}

TEST_F(CompositeLogitsTest, ScoresAgreeWithTheKernels) {
  const ScoredTargets rows{targets_, 0.7};
  const LogitScores ours = Empty(), theirs = Empty();
  ScoreLogits(logits_, rows, ours);
  composite::ScoreLogits(logits_, rows, theirs);
  ExpectClose(ours.log_prob_C, theirs.log_prob_C);
  ExpectClose(ours.entropy_C, theirs.entropy_C);
  ExpectClose(ours.normaliser_C, theirs.normaliser_C);
  const ScoreGradients gradients{at::randn({16}, at::kDouble), at::randn({16}, at::kDouble),
                                 at::kDouble};
  ExpectClose(ScoreGradient(logits_.clone(), rows, ours, gradients),
              composite::ScoreGradient(logits_.clone(), rows, theirs, gradients));
}

}  // namespace
}  // namespace trainyard::model
