// The training loop of one data-parallel rank: read this first.
//
// It owns the order of things and the decisions (when to validate, save, stop), nothing of what
// happens inside of them. Every decision is the same on all ranks, because it is taken from the
// step's number or from signals that were summed over ranks with the step.

#ifndef TRAINYARD_WORKER_TRAINER_H_
#define TRAINYARD_WORKER_TRAINER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/progress.h"
#include "data/batch_stream.h"
#include "task/session.h"
#include "worker/checkpointer.h"
#include "worker/loop_options.h"
#include "worker/objective.h"
#include "worker/parameter_set.h"
#include "worker/schedule.h"
#include "worker/spike_guard.h"
#include "worker/step.h"
#include "worker/train_state.h"
#include "worker/validation.h"

namespace trainyard::worker {

// What the loop works with. All outlive it.
struct TrainerParts {
  data::BatchStream* batches = nullptr;
  Step* step = nullptr;
  const Objective* objective = nullptr;
  ParameterSet* parameters = nullptr;
  SpikeGuard* spike_guard = nullptr;
  Validation* validation = nullptr;
  Checkpointer* checkpointer = nullptr;
  collective::Group* group = nullptr;
  task::TaskSession* session = nullptr;
  double flops_per_token = 0;
  Json run_sections = Json::object();  // of every manifest: tokenizer hash, bucket layout, ...
};

enum class TrainOutcome {
  kFinished,  // all steps done, validated and committed
  kStopped,   // by an order; saved where the order asked for it
};

// Owned: one thread.
class Trainer {
 public:
  // `start`: where the run stands, after a restore what the checkpoint said.
  Trainer(const TrainerParts& parts, const LoopOptions& options, const Schedule& schedule,
          const TrainState& start);

  // Trains to the end or until a stop is ordered. Errors of its parts.
  absl::StatusOr<TrainOutcome> Run();

  const TrainState& state() const { return state_; }
  Place place() const { return {state_.step, phase_}; }
  // Of the last validation.
  const std::map<std::string, double>& validation() const { return validated_; }

 private:
  enum Signal { kStop, kStopAndSave, kSaveByTime, kWritten, kCommitted, kSignals };

  absl::StatusOr<StepInput> Prepare();
  void Consume(const data::TrainBatch& batch, const StepResult& result);
  bool EvalDue() const;
  bool SaveDue(const StepResult& result);
  absl::Status Validate();
  absl::Status Save();
  absl::StatusOr<TrainOutcome> Stop(bool save);
  absl::StatusOr<TrainOutcome> Finish();
  void Report(const StepResult& result);
  std::map<std::string, double> StepMetrics(const StepResult& result, double seconds) const;
  void EnterPhase(const std::string& phase);

  const TrainerParts parts_;
  const LoopOptions options_;
  const Schedule schedule_;
  TrainState state_;
  std::string phase_ = "train";
  std::map<std::string, double> validated_;
  int64_t validated_step_ = -1;
  int64_t saved_step_;  // last step whose state is, or is being, written
  bool save_wanted_ = false;
  absl::Duration last_save_;  // monotonic
  // Since the last report: totals over totals.
  absl::Duration report_begin_;
  int64_t report_tokens_ = 0;
  int64_t report_steps_ = 0;
  absl::Duration data_wait_;
  PhaseTimes report_times_;
  task::Progress progress_;
};

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_TRAINER_H_
