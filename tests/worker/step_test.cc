#include "worker/step.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

#include "base/cause.h"
#include "collective/local_group.h"
#include "model/numerics.h"

namespace trainyard::worker {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Token i is a pair (x, y) with the loss (w x - y)^2. All numbers are small multiples of powers of
// two, so that every sum is exact in any order.
data::MicroBatch Pairs(const std::vector<std::pair<int32_t, int32_t>>& pairs) {
  data::MicroBatch batch;
  for (const auto& [x, y] : pairs) {
    batch.token_ids_N.push_back(x);
    batch.target_ids_N.push_back(y);
  }
  batch.units = static_cast<int64_t>(pairs.size());
  return batch;
}

class Squares : public Objective {
 public:
  explicit Squares(const at::Tensor& weight) : weight_(weight) {}

  double factor = 1;   // of the loss
  bool root = false;   // the loss is a square root: at 0 its slope is infinite, its value is not

  std::string unit() const override { return "token"; }
  size_t sum_count() const override { return 1; }
  absl::StatusOr<MicroLoss> Loss(const data::MicroBatch& micro_batch, Mode mode) override {
    EXPECT_EQ(mode, Mode::kTrain);
    if (micro_batch.units == 0) return MicroLoss{at::zeros({}, at::kDouble), {1}};
    const at::Tensor x = at::tensor(micro_batch.token_ids_N, at::kInt).to(at::kDouble);
    const at::Tensor y = at::tensor(micro_batch.target_ids_N, at::kInt).to(at::kDouble);
    const at::Tensor squares = at::square(weight_ * x - y);
    return MicroLoss{(root ? at::sqrt(squares) : squares).sum() * factor, {1}};
  }
  std::map<std::string, double> Metrics(const LossTotals& totals) const override {
    return {{"loss", totals.loss_sum / totals.units}, {"micro_batches", totals.sums[0]}};
  }
  std::string headline() const override { return "loss"; }
  bool higher_is_better() const override { return false; }

 private:
  const at::Tensor weight_;
};

// One rank with a weight of 0.5.
struct Rank {
  explicit Rank(collective::Group* of, const SpikeGuardOptions& guard_options = {})
      : group(of), guard(guard_options) {
    model::SetComputeThreads(1);
    parameters = *ParameterSet::Create({{"w", weight}}, group, {.name = "model", .clip_norm = 0});
  }
  absl::StatusOr<StepResult> Run(std::vector<data::MicroBatch> micro_batches, int64_t global_units,
                                 std::vector<double> signals = {}) {
    data::TrainBatch batch;
    batch.step = 7;
    batch.micro_batches = std::move(micro_batches);
    batch.global_units = global_units;
    batch.global_tokens = 100 * global_units;
    return Step(&objective, parameters.get(), &guard, group)
        .Run(batch, {.learning_rate = 0.25, .signals = std::move(signals)});
  }
  double w() const { return weight.item<double>(); }

  collective::Group* const group;
  const at::Tensor weight = at::full({1}, 0.5, at::kDouble).set_requires_grad(true);
  Squares objective{weight};
  std::unique_ptr<ParameterSet> parameters;
  SpikeGuard guard;
};

// Runs `body(rank)` on a thread per rank of one group.
void OnRanks(int count, const std::function<void(Rank&)>& body) {
  auto groups = collective::LocalGroups(count, absl::Seconds(30));
  std::vector<std::thread> threads;
  for (int index = 0; index < count; ++index) {
    threads.emplace_back([&, index] {
      Rank rank(groups[index].get());
      body(rank);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

class StepTest : public ::testing::Test {
 protected:
  const std::unique_ptr<collective::Group> group_ = collective::SingleRankGroup();
};

TEST_F(StepTest, AccumulatedMicroBatchesHaveTheBitsOfOneBatch) {
  Rank whole(group_.get());
  const auto one = whole.Run({Pairs({{1, 3}, {2, 1}, {4, 2}, {3, 8}})}, 4);
  ASSERT_TRUE(one.ok()) << one.status();
  // 2.5^2, 0, 0, 6.5^2; slopes -5, 0, 0, -39.
  EXPECT_EQ(one->loss, 48.5 / 4);
  EXPECT_EQ(one->grad_norm, 11);
  EXPECT_NE(whole.w(), 0.5);
  EXPECT_EQ(one->units, 4);
  EXPECT_EQ(one->tokens, 400);

  Rank parts(group_.get());
  const auto two = parts.Run({Pairs({{1, 3}}), Pairs({{2, 1}, {4, 2}, {3, 8}})}, 4);
  ASSERT_TRUE(two.ok()) << two.status();
  EXPECT_EQ(two->loss, one->loss);
  EXPECT_EQ(two->grad_norm, one->grad_norm);
  EXPECT_EQ(parts.w(), whole.w());
  EXPECT_EQ(two->metrics.at("micro_batches"), 2);
}

TEST_F(StepTest, RanksWithUnlikeNumbersOfUnitsHaveTheBitsOfOneRank) {
  Rank whole(group_.get());
  const auto one = whole.Run({Pairs({{1, 3}, {2, 1}, {4, 2}, {3, 8}})}, 4);
  OnRanks(3, [&](Rank& rank) {
    std::vector<data::MicroBatch> own;  // the last rank has none
    if (rank.group->rank() == 0) own = {Pairs({{1, 3}, {2, 1}}), Pairs({{4, 2}})};
    if (rank.group->rank() == 1) own = {Pairs({{3, 8}})};
    const auto result = rank.Run(own, 4);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->loss, one->loss);
    EXPECT_EQ(result->grad_norm, one->grad_norm);
    EXPECT_EQ(result->metrics.at("micro_batches"), 3);
    EXPECT_EQ(rank.w(), whole.w());
  });
}

TEST_F(StepTest, AMicroBatchWithoutAUnitIsPassedOver) {
  Rank rank(group_.get());
  const auto result = rank.Run({Pairs({{1, 3}}), Pairs({})}, 1);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->grad_norm, 5);
}

TEST_F(StepTest, SignalsOfAllRanksAreSummed) {
  OnRanks(3, [](Rank& rank) {
    const double own = rank.group->rank();
    const auto result = rank.Run({Pairs({{1, 3}})}, 3, {own, 10 * own, 1});
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->signal_sums, (std::vector<double>{3, 30, 3}));
  });
}

TEST_F(StepTest, ALossThatIsNotFiniteNamesItsRankOnAllRanksAndUpdatesNothing) {
  OnRanks(3, [](Rank& rank) {
    if (rank.group->rank() == 1) rank.objective.factor = kNan;
    const absl::Status status = rank.Run({Pairs({{1, 3}})}, 3).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_EQ(CauseOf(status), EndClass::kNan);
    EXPECT_NE(status.message().find("step 7: the loss is not finite on rank 1; every weight is"),
              std::string::npos) << status;
    EXPECT_EQ(rank.w(), 0.5);
    EXPECT_EQ(rank.parameters->optimizer().step_count(), 0);
  });
}

TEST_F(StepTest, TheWeightThatMadeTheLossNotFiniteIsNamed) {
  Rank rank(group_.get());
  rank.weight.detach().fill_(kNan);
  const absl::Status status = rank.Run({Pairs({{1, 3}})}, 1).status();
  EXPECT_NE(status.message().find("first weight that is not finite: w"), std::string::npos)
      << status;
}

TEST_F(StepTest, AGradientThatIsNotFiniteIsNamedWithStepAndRankAndUpdatesNothing) {
  Rank rank(group_.get());
  rank.objective.root = true;
  const absl::Status status = rank.Run({Pairs({{2, 1}})}, 1).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_NE(status.message().find("step 7, rank 0"), std::string::npos) << status;
  EXPECT_EQ(rank.w(), 0.5);
}

TEST_F(StepTest, AStepTheSpikeGuardSkipsUpdatesNothingAndSaysWhy) {
  Rank rank(group_.get(), {.z_limit = 3, .least_history = 2});
  for (int32_t y : {3, 4, 3}) {
    const auto calm = rank.Run({Pairs({{1, y}})}, 1);
    ASSERT_TRUE(calm.ok()) << calm.status();
    EXPECT_FALSE(calm->skipped);
  }
  const double before = rank.w();
  const auto spike = rank.Run({Pairs({{1, 4096}})}, 1);
  ASSERT_TRUE(spike.ok()) << spike.status();
  EXPECT_TRUE(spike->skipped);
  EXPECT_FALSE(spike->skip_reason.empty());
  EXPECT_EQ(rank.w(), before);
  EXPECT_EQ(rank.parameters->optimizer().step_count(), 3);
}

TEST_F(StepTest, SumsKeepTheOrderOfTheirValues) {
  auto groups = collective::LocalGroups(2, absl::Seconds(30));
  std::vector<double> first = {1, 1e-3, 0.25}, second = {2, 1e-3, -4};
  std::thread other([&] { EXPECT_TRUE(SumDoubles(groups[1].get(), &second).ok()); });
  EXPECT_TRUE(SumDoubles(groups[0].get(), &first).ok());
  other.join();
  EXPECT_EQ(first, (std::vector<double>{3, 2e-3, -3.75}));
  EXPECT_EQ(second, first);
}

}  // namespace
}  // namespace trainyard::worker
