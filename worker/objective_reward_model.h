// The pairwise ranking loss of reward models over groups of K answers to one prompt (InstructGPT,
// arXiv:2203.02155, equation 1). The score is read at an answer's last token.

#ifndef TRAINYARD_WORKER_OBJECTIVE_REWARD_MODEL_H_
#define TRAINYARD_WORKER_OBJECTIVE_REWARD_MODEL_H_

#include <map>
#include <string>

#include "model/loss.h"
#include "model/transformer.h"
#include "worker/objective.h"

namespace trainyard::worker {

// Its unit is a group with at least one pair: a group weighs the same whatever its pairs.
class RewardModelObjective : public Objective {
 public:
  // The model, which outlives it, has a scalar head.
  RewardModelObjective(const model::Model* model, const model::RankingOptions& options)
      : model_(model), options_(options) {}

  std::string unit() const override { return "group"; }
  size_t sum_count() const override;
  absl::StatusOr<MicroLoss> Loss(const data::MicroBatch& micro_batch, Mode mode) override;
  // "loss" per group, "pair_accuracy" over all counted pairs, and "pair_accuracy_gap_1", "_2" over
  // the pairs whose ratings differ at least so much.
  std::map<std::string, double> Metrics(const LossTotals& totals) const override;
  std::string headline() const override { return "pair_accuracy"; }
  bool higher_is_better() const override { return true; }

 private:
  const model::Model* const model_;
  const model::RankingOptions options_;
};

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_OBJECTIVE_REWARD_MODEL_H_
