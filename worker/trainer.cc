#include "worker/trainer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"

namespace trainyard::worker {

Trainer::Trainer(const TrainerParts& parts, const LoopOptions& options, const Schedule& schedule,
                 const TrainState& start)
    : parts_(parts),
      options_(options),
      schedule_(schedule),
      state_(start),
      saved_step_(start.step > 0 ? start.step : -1),
      last_save_(Clock::Real().Monotonic()),
      report_begin_(last_save_) {}

absl::StatusOr<TrainOutcome> Trainer::Run() {
  // What training starts from: without it nobody could say what the first steps gained.
  if (state_.step == 0 && options_.eval_every > 0) TY_RETURN_IF_ERROR(Validate());
  EnterPhase("train");
  while (state_.step < options_.total_steps) {
    TY_ASSIGN_OR_RETURN(const StepInput input, Prepare());
    const absl::Duration data_begin = Clock::Real().Monotonic();
    TY_ASSIGN_OR_RETURN(const data::TrainBatch batch,
                        parts_.batches->Next(options_.data_timeout));
    data_wait_ += Clock::Real().Monotonic() - data_begin;
    TY_ASSIGN_OR_RETURN(const StepResult result, parts_.step->Run(batch, input));
    Consume(batch, result);
    Report(result);
    const std::vector<double>& sums = result.signal_sums;
    TY_RETURN_IF_ERROR(parts_.checkpointer->Advance({sums[kWritten], sums[kCommitted]}));
    if (EvalDue()) TY_RETURN_IF_ERROR(Validate());
    if (SaveDue(result)) TY_RETURN_IF_ERROR(Save());
    if (sums[kStop] > 0) return Stop(sums[kStopAndSave] > 0);
  }
  return Finish();
}

absl::StatusOr<StepInput> Trainer::Prepare() {
  StepInput input;
  input.learning_rate = schedule_.LearningRate(state_.step);
  input.signals.resize(kSignals, 0);
  if (const std::optional<task::StopOrder> order = parts_.session->StopRequested()) {
    input.signals[kStop] = 1;
    input.signals[kStopAndSave] = order->checkpoint ? 1 : 0;
  }
  if (parts_.group->rank() == 0 &&
      Clock::Real().Monotonic() - last_save_ >= options_.checkpoint_every) {
    input.signals[kSaveByTime] = 1;
  }
  TY_ASSIGN_OR_RETURN(const Checkpointer::Signals checkpoint, parts_.checkpointer->Look());
  input.signals[kWritten] = checkpoint[0];
  input.signals[kCommitted] = checkpoint[1];
  return input;
}

void Trainer::Consume(const data::TrainBatch& batch, const StepResult& result) {
  state_.step += 1;
  state_.cursor = batch.cursor_after;
  state_.tokens += result.tokens;
  state_.updates = parts_.parameters->optimizer().step_count();
  state_.spike_guard = parts_.spike_guard->ToJson();
  if (result.skipped) {
    Log().warn("step {}: update skipped as a spike: {} ({} so far)", state_.step,
               result.skip_reason, parts_.spike_guard->skipped());
  }
}

bool Trainer::EvalDue() const {
  return options_.eval_every > 0 && state_.step % options_.eval_every == 0 &&
         state_.step < options_.total_steps;
}

bool Trainer::SaveDue(const StepResult& result) {
  const bool by_step = options_.checkpoint_every_steps > 0 &&
                       state_.step % options_.checkpoint_every_steps == 0;
  save_wanted_ = save_wanted_ || by_step || result.signal_sums[kSaveByTime] > 0;
  // One at a time: what is due while another is on its way waits for it. The last step's is
  // Finish's.
  return save_wanted_ && !parts_.checkpointer->busy() && state_.step < options_.total_steps;
}

absl::Status Trainer::Validate() {
  EnterPhase("eval");
  TY_ASSIGN_OR_RETURN(validated_,
                      parts_.validation->Run([this] { parts_.session->Report(progress_); }));
  validated_step_ = state_.step;
  const auto headline = validated_.find(parts_.objective->headline());
  if (headline != validated_.end()) {
    const double value = headline->second;
    const bool better = !state_.best.has_value() || (parts_.objective->higher_is_better()
                                                         ? value > *state_.best
                                                         : value < *state_.best);
    if (better) {
      state_.best = value;
      state_.best_step = state_.step;
    }
    Log().info("step {}: validation {} {:.4f} (best {:.4f} at step {})", state_.step,
               headline->first, value, *state_.best, state_.best_step);
  }
  if (parts_.group->rank() == 0) {
    std::map<std::string, double> values;
    for (const auto& [name, value] : validated_) values["eval_" + name] = value;
    parts_.session->ReportMetrics(state_.step, values);
  }
  EnterPhase("train");
  return absl::OkStatus();
}

absl::Status Trainer::Save() {
  CheckpointContent content;
  content.step = state_.step;
  content.sections = parts_.run_sections;
  content.sections.update(TrainStateSections(state_));
  if (validated_step_ == state_.step) {
    const auto headline = validated_.find(parts_.objective->headline());
    if (headline != validated_.end()) content.metric = headline->second;
  }
  save_wanted_ = false;
  saved_step_ = state_.step;
  last_save_ = Clock::Real().Monotonic();
  return parts_.checkpointer->Begin(content);
}

absl::StatusOr<TrainOutcome> Trainer::Stop(bool save) {
  EnterPhase("checkpoint");
  TY_RETURN_IF_ERROR(parts_.checkpointer->Finish());
  if (save && saved_step_ != state_.step) {
    TY_RETURN_IF_ERROR(Save());
    TY_RETURN_IF_ERROR(parts_.checkpointer->Finish());
  }
  return TrainOutcome::kStopped;
}

absl::StatusOr<TrainOutcome> Trainer::Finish() {
  if (validated_step_ != state_.step) TY_RETURN_IF_ERROR(Validate());
  EnterPhase("checkpoint");
  TY_RETURN_IF_ERROR(parts_.checkpointer->Finish());
  if (saved_step_ != state_.step) {
    TY_RETURN_IF_ERROR(Save());
    TY_RETURN_IF_ERROR(parts_.checkpointer->Finish());
  }
  return TrainOutcome::kFinished;
}

void Trainer::EnterPhase(const std::string& phase) {
  phase_ = phase;
  progress_.phase = phase;
  progress_.step = state_.step;
  progress_.total_steps = options_.total_steps;
  parts_.session->Report(progress_);
}

void Trainer::Report(const StepResult& result) {
  report_tokens_ += result.tokens;
  report_steps_ += 1;
  report_times_.forward += result.times.forward;
  report_times_.backward += result.times.backward;
  report_times_.reduce_wait += result.times.reduce_wait;
  report_times_.optimizer += result.times.optimizer;
  const absl::Duration now = Clock::Real().Monotonic();
  const double seconds = absl::ToDoubleSeconds(now - report_begin_);
  progress_.step = state_.step;
  progress_.tokens_per_second = seconds > 0 ? report_tokens_ / seconds : 0;
  progress_.headline = result.loss;
  progress_.headline_name = "loss";
  parts_.session->Report(progress_);
  if (state_.step % options_.log_every != 0 && state_.step != options_.total_steps) return;
  if (parts_.group->rank() == 0) {
    parts_.session->ReportMetrics(state_.step, StepMetrics(result, seconds));
  }
  report_begin_ = now;
  report_tokens_ = 0;
  report_steps_ = 0;
  report_times_ = {};
  data_wait_ = absl::ZeroDuration();
}

std::map<std::string, double> Trainer::StepMetrics(const StepResult& result,
                                                   double seconds) const {
  const auto per_step = [this](absl::Duration total) {
    return absl::ToDoubleSeconds(total) / static_cast<double>(report_steps_);
  };
  std::map<std::string, double> values = result.metrics;
  values["grad_norm"] = result.grad_norm;
  values["learning_rate"] = schedule_.LearningRate(state_.step - 1);
  values["tokens_per_second"] = progress_.tokens_per_second;
  values["flops_per_second"] = progress_.tokens_per_second * parts_.flops_per_token;
  values["tokens"] = static_cast<double>(state_.tokens);
  values["skipped_updates"] = static_cast<double>(parts_.spike_guard->skipped());
  values["step_seconds"] = seconds / static_cast<double>(report_steps_);
  values["data_seconds"] = per_step(data_wait_);
  values["forward_seconds"] = per_step(report_times_.forward);
  values["backward_seconds"] = per_step(report_times_.backward);
  values["reduce_wait_seconds"] = per_step(report_times_.reduce_wait);
  values["optimizer_seconds"] = per_step(report_times_.optimizer);
  return values;
}

}  // namespace trainyard::worker
