#include "worker/objective_lm.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "model/numerics.h"
#include "tests/model/tiny_model.h"
#include "tests/worker/tiny_batches.h"
#include "worker/micro_batch_tensors.h"

namespace trainyard::worker {
namespace {

class LmObjectiveTest : public ::testing::Test {
 protected:
  LmObjectiveTest() { model::SetComputeThreads(1); }

  // [N, V], the plain way.
  at::Tensor Logits() const {
    const at::Tensor hidden_ND = model::Forward(model_, *PackMicroBatch(model_, batch_));
    return at::matmul(hidden_ND, model::LmHeadWeight(model_).t());
  }
  double LossSum(double z_loss, Mode mode) const {
    LmObjective objective(&model_, z_loss);
    const auto loss = objective.Loss(batch_, mode);
    EXPECT_TRUE(loss.ok()) << loss.status();
    return loss->loss_sum.item<double>();
  }

  const model::Model model_ = model::TinyModel(model::Family::kLlama, at::kDouble);
  data::MicroBatch batch_ = MicroBatchOf({{7, 8, 9, 10}, {4, 5, 6}});
};

TEST_F(LmObjectiveTest, TheLossIsTheSumOverTrainedTokensOfTheirSurprise) {
  batch_.loss_weights_N[1] = 0;  // a prompt's token
  const at::Tensor log_probs_NV = at::log_softmax(Logits(), 1);
  double expected = 0;
  for (const int64_t row : {0, 2, 4, 5}) {
    expected -= log_probs_NV[row][batch_.target_ids_N[row]].item<double>();
  }
  EXPECT_NEAR(LossSum(0, Mode::kTrain), expected, 1e-9);
}

TEST_F(LmObjectiveTest, ZLossCountsInTrainingOnly) {
  const at::Tensor z_N = at::logsumexp(Logits(), {1}).square();
  double expected = LossSum(0, Mode::kTrain);
  EXPECT_EQ(LossSum(0.1, Mode::kValidate), expected);
  for (const int64_t row : {0, 1, 2, 4, 5}) expected += 0.1 * z_N[row].item<double>();
  EXPECT_NEAR(LossSum(0.1, Mode::kTrain), expected, 1e-9);
}

TEST_F(LmObjectiveTest, MetricsArePerUnitAndPerByteOfAllRanks) {
  const LmObjective objective(&model_, 0);
  auto metrics = objective.Metrics({.loss_sum = 6, .units = 4, .sums = {10}});
  EXPECT_DOUBLE_EQ(metrics.at("loss"), 1.5);
  EXPECT_DOUBLE_EQ(metrics.at("perplexity"), std::exp(1.5));
  EXPECT_DOUBLE_EQ(metrics.at("bits_per_byte"), 0.6 / std::log(2.0));
  metrics = objective.Metrics({.loss_sum = 6, .units = 4, .sums = {0}});
  EXPECT_EQ(metrics.count("bits_per_byte"), 0) << "nobody knows the bytes";
}

TEST_F(LmObjectiveTest, TheBytesOfTheTrainedTokensAreCounted) {
  batch_.trained_bytes = 23;
  LmObjective objective(&model_, 0);
  EXPECT_EQ(objective.Loss(batch_, Mode::kTrain)->sums, std::vector<double>{23});
}

TEST_F(LmObjectiveTest, ATokenThatDoesNotFitTheModelIsRefused) {
  batch_.token_ids_N[0] = -1;
  LmObjective objective(&model_, 0);
  EXPECT_TRUE(absl::IsInvalidArgument(objective.Loss(batch_, Mode::kTrain).status()));
}

}  // namespace
}  // namespace trainyard::worker
