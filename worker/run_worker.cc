#include "worker/run_worker.h"

#include <utility>
#include <variant>

#include "base/cause.h"
#include "base/status.h"
#include "model/numerics.h"
#include "worker/batch_tokenize.h"
#include "worker/batch_tokenizer.h"
#include "worker/join.h"
#include "worker/run_learner.h"
#include "worker/run_place.h"
#include "worker/train_run.h"
#include "worker/worker_spec.h"

namespace trainyard::worker {
namespace {

// The session of this rank may not have heard the order that all ranks follow.
absl::Status Stopped() {
  return WithCause(absl::CancelledError("a stop was ordered on another rank"), EndClass::kDrained);
}

absl::Status RunTrainJob(TrainJob job, const task::Assignment& assignment,
                         task::TaskSession* session, Place* place) {
  TY_ASSIGN_OR_RETURN(RunPlace run_place, PlaceOf(assignment));
  run_place.numerics_id = model::NumericsId(assignment.gpus.empty() ? "cpu" : "cuda", job.dtype);
  TY_ASSIGN_OR_RETURN(const auto group, JoinRanks(assignment, run_place.numerics_id, session));
  TrainRun run(std::move(job), {&assignment, &run_place, session, group.get()});
  const absl::StatusOr<TrainOutcome> outcome = run.Run();
  *place = run.place();
  if (!outcome.ok()) {
    // The peers hear the cause from this rank, not that it is gone.
    group->Abort(outcome.status().message());
    return outcome.status();
  }
  return *outcome == TrainOutcome::kFinished ? absl::OkStatus() : Stopped();
}

// Tokenizer and tokenize jobs: one task, nothing to resume.
template <typename Job>
absl::Status RunBatchJob(const Job& job, absl::Status (*run)(const Job&, const RunPlace&,
                                                             task::TaskSession*),
                         const task::Assignment& assignment, task::TaskSession* session) {
  TY_ASSIGN_OR_RETURN(const RunPlace run_place, PlaceOf(assignment));
  session->Ready("", "");
  return run(job, run_place, session);
}

}  // namespace

absl::Status RunWorker(const task::Assignment& assignment, task::TaskSession* session,
                       Place* place) {
  model::SetComputeThreads(assignment.threads);
  TY_ASSIGN_OR_RETURN(WorkerJob job, ParseWorkerJob(assignment));
  if (auto* train = std::get_if<TrainJob>(&job)) {
    return RunTrainJob(std::move(*train), assignment, session, place);
  }
  if (std::holds_alternative<LearnerJob>(job)) {
    TY_RETURN_IF_ERROR(RunLearner(assignment, session, *place));
    return Stopped();
  }
  *place = {0, "train"};
  if (const auto* tokenizer = std::get_if<TokenizerJob>(&job)) {
    return RunBatchJob(*tokenizer, RunTokenizerJob, assignment, session);
  }
  return RunBatchJob(std::get<TokenizeJob>(job), RunTokenizeJob, assignment, session);
}

}  // namespace trainyard::worker
