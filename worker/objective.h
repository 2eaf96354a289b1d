// What a run minimises, as a sum over units that the trainer divides once by the global number of
// units.

#ifndef TRAINYARD_WORKER_OBJECTIVE_H_
#define TRAINYARD_WORKER_OBJECTIVE_H_

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "data/train_batch.h"

namespace trainyard::worker {

enum class Mode { kTrain, kValidate };

// One micro-batch's result. Sums only: ratios are taken of totals.
struct MicroLoss {
  at::Tensor loss_sum;       // scalar over the units; with a graph unless gradients are off
  std::vector<double> sums;  // sum_count() of them
};

// Totals over micro-batches and ranks.
struct LossTotals {
  double loss_sum = 0;
  double units = 0;
  std::vector<double> sums;
};

// Owned: by the thread that trains.
class Objective {
 public:
  virtual ~Objective() = default;

  // What a unit is ("token", "group"): in reports.
  virtual std::string unit() const = 0;
  // How many sums a micro-batch gives besides the loss.
  virtual size_t sum_count() const = 0;

  // The forward pass. InvalidArgument: tokens that do not fit the model. May not throw.
  virtual absl::StatusOr<MicroLoss> Loss(const data::MicroBatch& micro_batch, Mode mode) = 0;

  // Values by name of totals: "loss" always, and the objective's own ("perplexity",
  // "bits_per_byte", "pair_accuracy").
  virtual std::map<std::string, double> Metrics(const LossTotals& totals) const = 0;

  // The metric by which a checkpoint is the best, and its better direction.
  virtual std::string headline() const = 0;
  virtual bool higher_is_better() const = 0;
};

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_OBJECTIVE_H_
