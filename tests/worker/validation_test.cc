#include "worker/validation.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <thread>

#include "collective/local_group.h"
#include "tests/worker/tiny_batches.h"

namespace trainyard::worker {
namespace {

// Its loss is the sum of the tokens; counts what it is asked.
class SumOfTokens : public Objective {
 public:
  std::string unit() const override { return "token"; }
  size_t sum_count() const override { return 1; }
  absl::StatusOr<MicroLoss> Loss(const data::MicroBatch& micro_batch, Mode mode) override {
    EXPECT_EQ(mode, Mode::kValidate);
    EXPECT_FALSE(c10::GradMode::is_enabled());
    if (micro_batch.token_ids_N[0] < 0) return absl::InvalidArgumentError("a negative token");
    double sum = 0;
    for (const int32_t id : micro_batch.token_ids_N) sum += id;
    ++calls_;
    return MicroLoss{at::full({}, sum, at::kDouble), {1}};
  }
  std::map<std::string, double> Metrics(const LossTotals& totals) const override {
    return {{"loss", totals.loss_sum / totals.units}, {"micro_batches", totals.sums[0]}};
  }
  std::string headline() const override { return "loss"; }
  bool higher_is_better() const override { return false; }

  int calls() const { return calls_; }

 private:
  int calls_ = 0;
};

using Metrics = std::map<std::string, double>;

TEST(Validation, IsTheMeanOverUnitsNotOverMicroBatches) {
  const auto group = collective::SingleRankGroup();
  // 60 over 3 units, and 3 over 1.
  const std::vector<data::MicroBatch> batches = {MicroBatchOf({{10, 20, 20, 10}}),
                                                 MicroBatchOf({{1, 2}})};
  SumOfTokens objective;
  Validation validation(&objective, &batches, group.get());
  int alive = 0;
  const auto metrics = validation.Run([&] { ++alive; });
  ASSERT_TRUE(metrics.ok()) << metrics.status();
  EXPECT_EQ(*metrics, (Metrics{{"loss", 63.0 / 4}, {"micro_batches", 2}}));
  EXPECT_EQ(alive, 2);
}

TEST(Validation, AllRanksGetTheMetricsOfAllRowsAlsoOneThatHasNone) {
  auto groups = collective::LocalGroups(3, absl::Seconds(30));
  const std::vector<std::vector<data::MicroBatch>> batches = {
      {MicroBatchOf({{10, 20, 20, 10}})}, {}, {MicroBatchOf({{1, 2}}), MicroBatchOf({{3, 4}})}};
  std::vector<Metrics> metrics(3);
  std::vector<std::thread> ranks;
  for (int rank = 0; rank < 3; ++rank) {
    ranks.emplace_back([&, rank] {
      SumOfTokens objective;
      Validation validation(&objective, &batches[rank], groups[rank].get());
      metrics[rank] = *validation.Run([] {});
    });
  }
  for (std::thread& rank : ranks) rank.join();
  for (int rank = 0; rank < 3; ++rank) {
    EXPECT_EQ(metrics[rank], (Metrics{{"loss", 14}, {"micro_batches", 3}})) << rank;
  }
}

TEST(Validation, NothingHeldOutGivesNoMetricAndNotZero) {
  const auto group = collective::SingleRankGroup();
  const std::vector<data::MicroBatch> none;
  SumOfTokens objective;
  EXPECT_EQ(*Validation(&objective, &none, group.get()).Run([] {}), Metrics());
}

TEST(Validation, GradientsAreOnAgainAfterwardsAlsoAfterAnError) {
  const auto group = collective::SingleRankGroup();
  const std::vector<data::MicroBatch> batches = {
      MicroBatchOf({{1, 2}}), MicroBatchOf({{-1, 2}}), MicroBatchOf({{3, 4}})};
  SumOfTokens objective;
  const auto failed = Validation(&objective, &batches, group.get()).Run([] {});
  EXPECT_EQ(failed.status(), absl::InvalidArgumentError("a negative token"));
  EXPECT_EQ(objective.calls(), 1);
  EXPECT_TRUE(c10::GradMode::is_enabled());
}

}  // namespace
}  // namespace trainyard::worker
