#include "worker/objective_reward_model.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "model/numerics.h"
#include "tests/model/tiny_model.h"
#include "tests/worker/tiny_batches.h"
#include "worker/micro_batch_tensors.h"

namespace trainyard::worker {
namespace {

// As the data gives it: all pairs of different ratings, the better one first.
data::RankedGroup GroupOf(const std::vector<int32_t>& segments, const std::vector<float>& ratings) {
  data::RankedGroup group{segments, ratings, {}};
  const auto answers = static_cast<int32_t>(segments.size());
  for (int32_t a = 0; a < answers; ++a) {
    for (int32_t b = 0; b < answers; ++b) {
      if (ratings[a] > ratings[b]) group.pairs.push_back({a, b, ratings[a] - ratings[b]});
    }
  }
  return group;
}

double PairLoss(double winner, double loser, double margin = 0) {
  return std::log1p(std::exp(-(winner - loser - margin)));
}

class RewardModelObjectiveTest : public ::testing::Test {
 protected:
  RewardModelObjectiveTest() {
    model::SetComputeThreads(1);
    const auto packed = PackMicroBatch(model_, batch_);
    const at::Tensor scores_G =
        model::ScalarScores(model_, model::Forward(model_, *packed), LastRows(*packed));
    for (int i = 0; i < 5; ++i) scores_.push_back(scores_G[i].item<double>());
  }

  MicroLoss Loss(const std::vector<data::RankedGroup>& groups, int64_t units,
                 const model::RankingOptions& options = {}) {
    batch_.groups = groups;
    batch_.units = units;
    RewardModelObjective objective(&model_, options);
    auto loss = objective.Loss(batch_, Mode::kTrain);
    EXPECT_TRUE(loss.ok()) << loss.status();
    return *std::move(loss);
  }
  double LossSum(const std::vector<data::RankedGroup>& groups, int64_t units) {
    return Loss(groups, units).loss_sum.item<double>();
  }
  bool Right(int winner, int loser) const { return scores_[winner] > scores_[loser]; }

  const model::Model model_ =
      model::TinyModel(model::Family::kLlama, at::kDouble, model::Head::kScalar);
  data::MicroBatch batch_ = MicroBatchOf({{7, 8, 9}, {4, 5}, {11, 12}, {20, 21}, {30, 31, 32}});
  std::vector<double> scores_;  // by segment
};

TEST_F(RewardModelObjectiveTest, AGroupsLossIsTheMeanOverItsPairs) {
  const double expected =
      (PairLoss(scores_[1], scores_[0]) + PairLoss(scores_[1], scores_[2]) +
       PairLoss(scores_[0], scores_[2])) / 3;
  EXPECT_NEAR(LossSum({GroupOf({0, 1, 2}, {2, 3, 1})}, 1), expected, 1e-12);
}

TEST_F(RewardModelObjectiveTest, AGroupWeighsTheSameWhateverItsPairs) {
  const data::RankedGroup three = GroupOf({0, 1, 2}, {2, 3, 1});
  const data::RankedGroup one = GroupOf({3, 4}, {1, 2});
  EXPECT_NEAR(LossSum({three, one}, 2), LossSum({three}, 1) + LossSum({one}, 1), 1e-12);
}

TEST_F(RewardModelObjectiveTest, TiesAreNoPairs) {
  EXPECT_NEAR(LossSum({GroupOf({0, 1, 2}, {2, 2, 1})}, 1),
              (PairLoss(scores_[0], scores_[2]) + PairLoss(scores_[1], scores_[2])) / 2, 1e-12);
  EXPECT_EQ(LossSum({GroupOf({0, 1}, {2, 2})}, 0), 0) << "a group without a pair is no unit";
}

TEST_F(RewardModelObjectiveTest, TheMarginIsAskedOfEveryPair) {
  const MicroLoss loss = Loss({GroupOf({3, 4}, {2, 1})}, 1, {.margin = 0.7});
  EXPECT_NEAR(loss.loss_sum.item<double>(), PairLoss(scores_[3], scores_[4], 0.7), 1e-12);
}

TEST_F(RewardModelObjectiveTest, AccuracyIsCountedApartByTheGapOfTheRatings) {
  // Segments other than their places in the group; gaps 0.5, 1.5 and 2.
  const MicroLoss loss = Loss({GroupOf({4, 1, 3}, {3, 2.5, 1})}, 1);
  const double near = Right(4, 1), far = Right(1, 3), widest = Right(4, 3);
  EXPECT_EQ(loss.sums, (std::vector<double>{3, near + far + widest, 2, far + widest, 1, widest}));

  const RewardModelObjective objective(&model_, {});
  const auto metrics =
      objective.Metrics({.loss_sum = 3, .units = 2, .sums = {8, 6, 4, 1, 0, 0}});
  EXPECT_DOUBLE_EQ(metrics.at("loss"), 1.5);
  EXPECT_DOUBLE_EQ(metrics.at("pair_accuracy"), 0.75);
  EXPECT_DOUBLE_EQ(metrics.at("pair_accuracy_gap_1"), 0.25);
  EXPECT_EQ(metrics.count("pair_accuracy_gap_2"), 0) << "there is no such pair";
}

TEST_F(RewardModelObjectiveTest, AnotherCountOfUnitsThanTheDatasIsAnError) {
  batch_.groups = {GroupOf({0, 1}, {2, 2})};
  batch_.units = 1;
  RewardModelObjective objective(&model_, {});
  const absl::Status status = objective.Loss(batch_, Mode::kTrain).status();
  EXPECT_TRUE(absl::IsInternal(status)) << status;
}

}  // namespace
}  // namespace trainyard::worker
