#include "worker/step.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/cause.h"
#include "base/status.h"
#include "model/catch_torch.h"

namespace trainyard::worker {
namespace {

// Adds the time of its life to `total`.
class Timed {
 public:
  explicit Timed(absl::Duration* total)
      : total_(total), begin_(Clock::Real().Monotonic()) {}
  ~Timed() { *total_ += Clock::Real().Monotonic() - begin_; }

 private:
  absl::Duration* const total_;
  const absl::Duration begin_;
};

}  // namespace

absl::Status SumDoubles(collective::Group* group, std::vector<double>* values) {
  at::Tensor sums = at::empty({static_cast<int64_t>(values->size())}, at::kDouble);
  std::memcpy(sums.data_ptr(), values->data(), values->size() * sizeof(double));
  TY_RETURN_IF_ERROR(group->AllReduce(sums));
  std::memcpy(values->data(), sums.data_ptr(), values->size() * sizeof(double));
  return absl::OkStatus();
}

absl::StatusOr<StepResult> Step::Run(const data::TrainBatch& batch, const StepInput& input) {
  StepResult result;
  LossTotals totals;
  totals.sums.resize(objective_->sum_count());
  TY_RETURN_IF_ERROR(RunMicroBatches(batch, &totals, &result.times));
  const double own_loss = totals.loss_sum;
  result.signal_sums = input.signals;
  absl::StatusOr<double> grad_norm = 0;
  {
    Timed timed(&result.times.reduce_wait);
    TY_RETURN_IF_ERROR(SumOverRanks(&totals, &result.signal_sums));
    if (!std::isfinite(totals.loss_sum)) return NotFinite(batch, own_loss);
    grad_norm = model::CatchTorch("gradients", [&] {
      return parameters_->Finish(static_cast<double>(batch.global_units));
    });
  }
  if (!grad_norm.ok()) {
    return Annotate(grad_norm.status(),
                    absl::StrCat("step ", batch.step, ", rank ", group_->rank()));
  }
  totals.units = static_cast<double>(batch.global_units);
  result.loss = totals.loss_sum / totals.units;
  result.grad_norm = *grad_norm;
  result.units = batch.global_units;
  result.tokens = batch.global_tokens;
  result.metrics = objective_->Metrics(totals);
  const SpikeGuard::Verdict verdict = spike_guard_->Judge(result.loss, result.grad_norm);
  result.skipped = verdict.skip;
  result.skip_reason = verdict.reason;
  if (!verdict.skip) {
    Timed timed(&result.times.optimizer);
    TY_RETURN_IF_ERROR(model::CatchTorch(
        "optimizer", [&] { parameters_->Update(input.learning_rate); }));
  }
  return result;
}

absl::Status Step::RunMicroBatches(const data::TrainBatch& batch, LossTotals* totals,
                                   PhaseTimes* times) {
  parameters_->BeginStep();
  for (size_t m = 0; m < batch.micro_batches.size(); ++m) {
    const data::MicroBatch& micro_batch = batch.micro_batches[m];
    MicroLoss loss;
    {
      Timed timed(&times->forward);
      TY_ASSIGN_OR_RETURN(loss, objective_->Loss(micro_batch, Mode::kTrain));
      totals->loss_sum += loss.loss_sum.item<double>();
      for (size_t s = 0; s < totals->sums.size(); ++s) totals->sums[s] += loss.sums[s];
    }
    Timed timed(&times->backward);
    parameters_->BeginMicroBatch(m + 1 == batch.micro_batches.size());
    // A micro-batch without a unit has no graph.
    if (!loss.loss_sum.requires_grad()) continue;
    TY_RETURN_IF_ERROR(
        model::CatchTorch("backward", [&] { torch::autograd::backward({loss.loss_sum}, {}); }));
  }
  return model::CatchTorch("reduction", [&] { parameters_->Launch(); });
}

absl::Status Step::SumOverRanks(LossTotals* totals, std::vector<double>* signals) {
  std::vector<double> values = {totals->loss_sum};
  values.insert(values.end(), totals->sums.begin(), totals->sums.end());
  values.insert(values.end(), signals->begin(), signals->end());
  TY_RETURN_IF_ERROR(SumDoubles(group_, &values));
  totals->loss_sum = values[0];
  const auto signals_begin = values.begin() + 1 + static_cast<int64_t>(totals->sums.size());
  std::copy(values.begin() + 1, signals_begin, totals->sums.begin());
  std::copy(signals_begin, values.end(), signals->begin());
  return absl::OkStatus();
}

absl::Status Step::NotFinite(const data::TrainBatch& batch, double own_loss) {
  at::Tensor all = at::zeros({group_->world_size()}, at::kDouble);
  TY_RETURN_IF_ERROR(group_->AllGather(at::full({1}, own_loss, at::kDouble), all));
  std::vector<int> ranks;
  for (int rank = 0; rank < group_->world_size(); ++rank) {
    if (!std::isfinite(all[rank].item<double>())) ranks.push_back(rank);
  }
  std::string cause = "every weight is finite; look at the rows of this step";
  for (const NamedTensor& parameter : parameters_->parameters()) {
    if (at::isfinite(parameter.tensor).all().item<bool>()) continue;
    cause = absl::StrCat("first weight that is not finite: ", parameter.name);
    break;
  }
  return NotFiniteError(absl::StrCat("step ", batch.step, ": the loss is not finite on rank ",
                                     absl::StrJoin(ranks, ", "), "; ", cause));
}

}  // namespace trainyard::worker
