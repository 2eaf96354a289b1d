// AdamW (Loshchilov and Hutter, arXiv:1711.05101) on fp32 master weights.

#ifndef TRAINYARD_WORKER_OPTIMIZER_H_
#define TRAINYARD_WORKER_OPTIMIZER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/named_tensor.h"
#include "worker/optimizer_options.h"

namespace trainyard::worker {

// Owned: by the thread that trains. Keeps for each parameter a master copy (fp32 for bf16
// parameters; fp32 and float64 parameters are their own master) and two moments of its type.
class AdamW {
 public:
  // The parameters are updated in place. InvalidArgument names an option out of its limits, a
  // pattern that does not parse, or one that matches no parameter.
  static absl::StatusOr<std::unique_ptr<AdamW>> Create(const NamedTensors& parameters,
                                                       const AdamWOptions& options);

  // One update. `gradients` by parameter, in the masters' types.
  void Step(const std::vector<at::Tensor>& gradients, double learning_rate);

  // Updates made so far; part of the bias correction.
  int64_t step_count() const { return step_count_; }
  void set_step_count(int64_t count) { step_count_ = count; }

  // Everything that a checkpoint must hold besides step_count: the masters under the parameters'
  // names, "exp_avg.NAME" and "exp_avg_sq.NAME". To restore, copy into these tensors, then call
  // MastersChanged.
  NamedTensors State() const;
  // Rounds the masters into the bf16 parameters.
  void MastersChanged();
  // The masters alone, by parameter: the trained weights at full precision.
  const std::vector<at::Tensor>& masters() const { return masters_; }

 private:
  // Parameters with the same learning rate scale and decay.
  struct Partition {
    double lr_scale = 1;
    double weight_decay = 0;
    std::vector<size_t> parameters;
    std::vector<at::Tensor> masters, exp_avgs, exp_avg_sqs, steps;
  };

  AdamW(const NamedTensors& parameters, const AdamWOptions& options);
  absl::Status Divide();

  const NamedTensors parameters_;
  const AdamWOptions options_;
  std::vector<at::Tensor> masters_, exp_avgs_, exp_avg_sqs_;  // by parameter
  std::vector<Partition> partitions_;
  int64_t step_count_ = 0;
};

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_OPTIMIZER_H_
