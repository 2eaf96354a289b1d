#include "worker/run_worker.h"

#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/numerics.h"
#include "worker/batch_tokenize.h"
#include "worker/batch_tokenizer.h"
#include "worker/end_reason.h"
#include "worker/join.h"
#include "worker/run_learner.h"
#include "worker/run_place.h"
#include "worker/train_run.h"
#include "worker/worker_spec.h"

namespace trainyard::worker {
namespace {

EndReason Stopped(task::TaskSession* session, const Place& place) {
  EndReason reason;
  reason.end_class = EndClass::kDrained;
  const std::optional<task::StopOrder> order = session->StopRequested();
  reason.message = order.has_value() ? order->reason : "stop was ordered on another rank";
  reason.step = place.step;
  reason.phase = place.phase;
  return reason;
}

EndReason Succeeded() {
  EndReason reason;
  reason.end_class = EndClass::kSucceeded;
  return reason;
}

EndReason EndOf(const absl::Status& status, task::TaskSession* session, const Place& place) {
  if (status.ok()) return Succeeded();
  if (absl::IsCancelled(status) && session->StopRequested().has_value()) {
    return Stopped(session, place);
  }
  return EndReasonOf(status, place);
}

EndReason RunTrainJob(TrainJob job, const task::Assignment& assignment,
                      task::TaskSession* session) {
  absl::StatusOr<RunPlace> place = PlaceOf(assignment);
  if (!place.ok()) return EndOf(place.status(), session, {0, "starting"});
  place->numerics_id =
      model::NumericsId(assignment.gpus.empty() ? "cpu" : "cuda", job.dtype);
  auto group = JoinRanks(assignment, place->numerics_id, session);
  if (!group.ok()) return EndOf(group.status(), session, {0, "starting"});
  TrainRun run(std::move(job), {&assignment, &*place, session, group->get()});
  const absl::StatusOr<TrainOutcome> outcome = run.Run();
  if (!outcome.ok()) {
    // The peers hear the cause from this rank, not that it is gone.
    (*group)->Abort(outcome.status().message());
    return EndOf(outcome.status(), session, run.place());
  }
  return *outcome == TrainOutcome::kFinished ? Succeeded() : Stopped(session, run.place());
}

// Tokenizer and tokenize jobs: one task, nothing to resume.
template <typename Job>
EndReason RunBatchJob(const Job& job, absl::Status (*run)(const Job&, const RunPlace&,
                                                          task::TaskSession*),
                      const task::Assignment& assignment, task::TaskSession* session) {
  const absl::StatusOr<RunPlace> place = PlaceOf(assignment);
  if (!place.ok()) return EndOf(place.status(), session, {0, "starting"});
  session->Ready("", "");
  return EndOf(run(job, *place, session), session, {0, "train"});
}

}  // namespace

EndReason RunWorker(const task::Assignment& assignment, task::TaskSession* session) {
  model::SetComputeThreads(assignment.threads);
  absl::StatusOr<WorkerJob> job = ParseWorkerJob(assignment);
  if (!job.ok()) return EndOf(job.status(), session, {0, "starting"});
  if (auto* train = std::get_if<TrainJob>(&*job)) {
    return RunTrainJob(std::move(*train), assignment, session);
  }
  if (const auto* tokenizer = std::get_if<TokenizerJob>(&*job)) {
    return RunBatchJob(*tokenizer, RunTokenizerJob, assignment, session);
  }
  if (const auto* tokenize = std::get_if<TokenizeJob>(&*job)) {
    return RunBatchJob(*tokenize, RunTokenizeJob, assignment, session);
  }
  Place place = {0, "starting"};
  const absl::Status status = RunLearner(assignment, session, place);
  return status.ok() ? Stopped(session, place) : EndOf(status, session, place);
}

}  // namespace trainyard::worker
