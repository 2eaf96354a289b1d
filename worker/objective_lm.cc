#include "worker/objective_lm.h"

#include <cmath>
#include <numbers>

#include "base/status.h"
#include "model/catch_torch.h"
#include "model/loss.h"
#include "worker/micro_batch_tensors.h"

namespace trainyard::worker {

absl::StatusOr<MicroLoss> LmObjective::Loss(const data::MicroBatch& micro_batch, Mode mode) {
  TY_ASSIGN_OR_RETURN(const model::PackedTokens packed, PackMicroBatch(*model_, micro_batch));
  return model::CatchTorch("forward", [&]() -> absl::StatusOr<MicroLoss> {
    const at::Tensor hidden_ND = model::Forward(*model_, packed);
    const double z_loss = mode == Mode::kTrain ? z_loss_ : 0;
    MicroLoss loss;
    loss.loss_sum = model::LinearCrossEntropy(hidden_ND, model::LmHeadWeight(*model_),
                                              TargetsOf(micro_batch, packed), z_loss);
    loss.sums = {static_cast<double>(micro_batch.trained_bytes)};
    return loss;
  });
}

std::map<std::string, double> LmObjective::Metrics(const LossTotals& totals) const {
  const double loss = totals.loss_sum / totals.units;
  std::map<std::string, double> metrics = {{"loss", loss}, {"perplexity", std::exp(loss)}};
  const double bytes = totals.sums[0];
  if (bytes > 0) metrics["bits_per_byte"] = totals.loss_sum / bytes / std::numbers::ln2;
  return metrics;
}

}  // namespace trainyard::worker
