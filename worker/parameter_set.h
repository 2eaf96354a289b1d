// The parameters that one optimizer trains, with everything that happens to them in a step: the
// sum of gradients over micro-batches and ranks, one division by the global count of units, the
// clip, the update. A language model has one set; PPO has two (policy and critic).
//
//   BeginStep, { BeginMicroBatch, backward of a loss SUMMED over units }*, Launch, Finish, Update
//
// It knows neither models nor losses.

#ifndef TRAINYARD_WORKER_PARAMETER_SET_H_
#define TRAINYARD_WORKER_PARAMETER_SET_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "collective/group.h"
#include "worker/named_tensor.h"
#include "worker/optimizer.h"
#include "worker/reducer.h"

namespace trainyard::worker {

struct ParameterSetOptions {
  std::string name;  // "model", "policy", "critic": in errors and metrics
  AdamWOptions adamw;
  double clip_norm = 1.0;             // of the global gradient norm; <= 0: off
  int64_t bucket_bytes = 4 << 20;     // of one all-reduce
};

// Owned: by the thread that trains. The parameters and the group outlive it.
class ParameterSet {
 public:
  // Errors of AdamW::Create.
  static absl::StatusOr<std::unique_ptr<ParameterSet>> Create(const NamedTensors& parameters,
                                                              collective::Group* group,
                                                              const ParameterSetOptions& options);

  void BeginStep() { reducer_.BeginStep(); }
  // Before each micro-batch's backward; `last`: this rank's last one of the step.
  void BeginMicroBatch(bool last) { reducer_.BeginMicroBatch(last); }
  // After this rank's last backward, also when it had no micro-batch. With several sets: before the
  // next set's last backward.
  void Launch() { reducer_.Launch(); }

  // Waits for the sums, divides them by `global_units` (> 0) and clips. Returns the norm before the
  // clip. DataLoss names the first tensor that is not finite (nothing was updated); else the
  // group's error.
  absl::StatusOr<double> Finish(double global_units);

  // The optimizer's update with the gradients of Finish.
  void Update(double learning_rate) { optimizer_->Step(reducer_.gradients(), learning_rate); }

  const NamedTensors& parameters() const { return parameters_; }
  const Reducer& reducer() const { return reducer_; }
  AdamW& optimizer() { return *optimizer_; }

 private:
  ParameterSet(const NamedTensors& parameters, collective::Group* group,
               const ParameterSetOptions& options, std::unique_ptr<AdamW> optimizer);
  absl::Status NotFinite() const;

  const NamedTensors parameters_;
  const ParameterSetOptions options_;
  Reducer reducer_;
  const std::unique_ptr<AdamW> optimizer_;
};

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_PARAMETER_SET_H_
