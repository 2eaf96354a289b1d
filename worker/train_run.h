// A training job from its spec to its artifact, on one rank: build, restore, agree, train, publish.

#ifndef TRAINYARD_WORKER_TRAIN_RUN_H_
#define TRAINYARD_WORKER_TRAIN_RUN_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/progress.h"
#include "collective/group.h"
#include "data/batch_builder.h"
#include "data/batch_stream.h"
#include "data/dataset.h"
#include "task/assignment.h"
#include "task/session.h"
#include "tokenizer/chat_template.h"
#include "worker/checkpointer.h"
#include "worker/objective.h"
#include "worker/parameter_set.h"
#include "worker/run_place.h"
#include "worker/spike_guard.h"
#include "worker/tokenizer_files.h"
#include "worker/train_job.h"
#include "worker/train_model.h"
#include "worker/train_state.h"
#include "worker/trainer.h"

namespace trainyard::worker {

// Who runs it and where it writes. All outlive the run.
struct RunContext {
  const task::Assignment* assignment = nullptr;
  const RunPlace* place = nullptr;
  task::TaskSession* session = nullptr;
  collective::Group* group = nullptr;
};

// Owned: one thread, one call of Run.
class TrainRun {
 public:
  TrainRun(TrainJob job, const RunContext& context) : job_(std::move(job)), context_(context) {}

  // kFinished: the artifact is recorded and, with a coordinator, the job SUCCEEDED.
  absl::StatusOr<TrainOutcome> Run();

  // Where it is, or was when it failed.
  Place place() const { return {state_.step, phase_}; }

 private:
  absl::Status Build();
  absl::Status BuildModel();
  absl::Status BuildData();
  absl::StatusOr<std::unique_ptr<data::Dataset>> Load(data::DatasetSpec spec) const;
  absl::Status ResolveSteps();
  absl::Status Restore();
  absl::Status RestoreFrom(const checkpoint::Loaded& loaded);
  absl::Status AgreeOnStart();
  absl::StatusOr<TrainOutcome> Train();
  absl::Status Publish();
  absl::StatusOr<model::Model> Trained();
  absl::StatusOr<task::Artifact> PublishModel(const model::Model& trained,
                                              const model::ModelCard& card);
  absl::StatusOr<task::Artifact> PublishAdapter(const model::Model& trained,
                                                const model::ModelCard& card);
  absl::StatusOr<task::Artifact> Commit(const Output& output,
                                        std::vector<checkpoint::FileRecord> files);
  absl::StatusOr<model::ModelCard> MakeCard();
  Json RunSections() const;
  Json AdapterSection() const;
  void EnterPhase(const std::string& phase);
  bool leads() const { return context_.group->rank() == 0; }

  TrainJob job_;
  const RunContext context_;
  std::string phase_ = "load";
  TokenizerFiles tokenizer_;
  std::optional<tokenizer::ChatTemplate> chat_template_;
  TrainModel model_;
  std::unique_ptr<data::Dataset> dataset_;
  std::unique_ptr<data::BatchBuilder> builder_;
  std::unique_ptr<data::Dataset> validation_dataset_;
  std::vector<data::MicroBatch> validation_batches_;
  std::unique_ptr<Objective> objective_;
  std::unique_ptr<ParameterSet> parameters_;
  std::unique_ptr<SpikeGuard> spike_guard_;
  std::unique_ptr<Checkpointer> checkpointer_;
  TrainState state_;  // where the run stands; the trainer's while it trains
  std::map<std::string, double> validated_;
};

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_TRAIN_RUN_H_
