// Cross-entropy of the next token: pretraining (every token) and SFT (the tokens with weight).

#ifndef TRAINYARD_WORKER_OBJECTIVE_LM_H_
#define TRAINYARD_WORKER_OBJECTIVE_LM_H_

#include <map>
#include <string>

#include "model/transformer.h"
#include "worker/objective.h"

namespace trainyard::worker {

// Its unit is a trained token.
class LmObjective : public Objective {
 public:
  // The model, which outlives it, has an LM head. `z_loss` counts in training only.
  LmObjective(const model::Model* model, double z_loss) : model_(model), z_loss_(z_loss) {}

  std::string unit() const override { return "token"; }
  size_t sum_count() const override { return 1; }  // bytes of the trained tokens
  absl::StatusOr<MicroLoss> Loss(const data::MicroBatch& micro_batch, Mode mode) override;
  // "loss" in nats per token, "perplexity", and "bits_per_byte" where bytes are known.
  std::map<std::string, double> Metrics(const LossTotals& totals) const override;
  std::string headline() const override { return "loss"; }
  bool higher_is_better() const override { return false; }

 private:
  const model::Model* const model_;
  const double z_loss_;
};

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_OBJECTIVE_LM_H_
