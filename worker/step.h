// One optimizer step of one rank: micro-batches forward and backward with the reduction of
// gradients overlapped, one division by the global count of units, clip, update.

#ifndef TRAINYARD_WORKER_STEP_H_
#define TRAINYARD_WORKER_STEP_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "collective/group.h"
#include "data/train_batch.h"
#include "worker/objective.h"
#include "worker/parameter_set.h"
#include "worker/spike_guard.h"

namespace trainyard::worker {

// Where the time of a step went on this rank.
struct PhaseTimes {
  absl::Duration forward, backward, reduce_wait, optimizer;
};

struct StepResult {
  double loss = 0;       // per unit, over all ranks
  double grad_norm = 0;  // before the clip
  int64_t units = 0;     // of all ranks
  int64_t tokens = 0;
  std::map<std::string, double> metrics;  // of the objective
  bool skipped = false;                   // by the spike guard: nothing was updated
  std::string skip_reason;
  std::vector<double> signal_sums;  // what all ranks gave as signals, summed
  PhaseTimes times;
};

struct StepInput {
  double learning_rate = 0;
  // Small numbers that ride along with the sums of the step, so that ranks can agree on what to do
  // after it (stop, save) without another round. As many on every rank.
  std::vector<double> signals;
};

// Owned: by the thread that trains. Its parts outlive it.
class Step {
 public:
  Step(Objective* objective, ParameterSet* parameters, SpikeGuard* spike_guard,
       collective::Group* group)
      : objective_(objective), parameters_(parameters), spike_guard_(spike_guard), group_(group) {}

  // Errors: DataLoss when a loss or gradient is not finite, naming rank, step and tensor, before
  // anything is updated; the objective's; the group's.
  absl::StatusOr<StepResult> Run(const data::TrainBatch& batch, const StepInput& input);

 private:
  absl::Status RunMicroBatches(const data::TrainBatch& batch, LossTotals* totals,
                               PhaseTimes* times);
  absl::Status SumOverRanks(LossTotals* totals, std::vector<double>* signals);
  absl::Status NotFinite(const data::TrainBatch& batch, double own_loss);

  Objective* const objective_;
  ParameterSet* const parameters_;
  SpikeGuard* const spike_guard_;
  collective::Group* const group_;
};

// Totals of all ranks, in the order of the calls: `values` summed in place, in float64.
absl::Status SumDoubles(collective::Group* group, std::vector<double>* values);

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_STEP_H_
