#include "worker/validation.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "base/status.h"
#include "worker/step.h"

namespace trainyard::worker {

absl::StatusOr<std::map<std::string, double>> Validation::Run(
    const std::function<void()>& alive) {
  c10::NoGradGuard no_grad;
  std::vector<double> values(2 + objective_->sum_count(), 0);
  for (const data::MicroBatch& micro_batch : *micro_batches_) {
    TY_ASSIGN_OR_RETURN(const MicroLoss loss, objective_->Loss(micro_batch, Mode::kValidate));
    values[0] += loss.loss_sum.item<double>();
    values[1] += static_cast<double>(micro_batch.units);
    for (size_t s = 0; s < loss.sums.size(); ++s) values[2 + s] += loss.sums[s];
    alive();
  }
  TY_RETURN_IF_ERROR(SumDoubles(group_, &values));
  std::map<std::string, double> metrics;
  if (values[1] > 0) {
    metrics = objective_->Metrics({values[0], values[1], {values.begin() + 2, values.end()}});
  }
  return metrics;
}

}  // namespace trainyard::worker
