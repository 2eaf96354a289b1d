#include "worker/run_learner.h"

#include <memory>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "checkpoint/store.h"
#include "collective/group.h"
#include "model/numerics.h"
#include "worker/compute_queue.h"
#include "worker/join.h"
#include "worker/learner.h"
#include "worker/policy_server.h"
#include "worker/ppo_spec.h"
#include "worker/run_place.h"

namespace trainyard::worker {
namespace {

// What running calls get when the task stops.
constexpr absl::Duration kPatience = absl::Seconds(2);

absl::Status Restore(const task::Assignment& assignment, const RunPlace& run, Learner& learner) {
  TY_ASSIGN_OR_RETURN(const std::vector<checkpoint::Candidate> candidates,
                      RestoreCandidates(assignment, run));
  if (candidates.empty()) return absl::OkStatus();
  TY_ASSIGN_OR_RETURN(const checkpoint::Loaded loaded, checkpoint::LoadFirstGood(candidates));
  for (const std::string& skipped : loaded.skipped) Log().warn("{}", skipped);
  TY_RETURN_IF_ERROR(learner.Restore(loaded.candidate.directory, loaded.manifest,
                                     loaded.candidate.manifest_sha256));
  Log().info("restored {}", loaded.candidate.directory);
  return absl::OkStatus();
}

}  // namespace

absl::Status RunLearner(const task::Assignment& assignment, task::TaskSession* session,
                        Place& place) {
  place = {0, "load"};
  session->Report({.phase = place.phase});
  TY_ASSIGN_OR_RETURN(LearnerPlan plan, ParseLearnerPlan(assignment));
  plan.options.device = assignment.gpus.empty() ? "cpu" : "cuda";
  TY_ASSIGN_OR_RETURN(RunPlace run, PlaceOf(assignment));
  run.numerics_id = model::NumericsId(plan.options.device, plan.options.dtype);
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<collective::Group> group,
                      JoinRanks(assignment, run.numerics_id, session));
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<Learner> learner,
                      Learner::Create(plan.options, plan.models, group.get()));
  TY_RETURN_IF_ERROR(Restore(assignment, run, *learner));
  place.step = learner->iteration();

  ComputeQueue compute;
  // Between updates there is nothing to be expected of a learner.
  const auto idle = [&] {
    place.phase = "waiting_rollout";
    session->Report({.phase = place.phase, .step = place.step});
  };
  TY_ASSIGN_OR_RETURN(
      const std::unique_ptr<PolicyServer> server,
      PolicyServer::Start({.listen = assignment.ListenAddress(),
                           .advertise = assignment.advertise,
                           .fence = assignment.Fence(),
                           .numerics_id = run.numerics_id,
                           .on_progress =
                               [&](int64_t iteration, const MinibatchProgress&) {
                                 place = {iteration, "update"};
                                 session->Report({.phase = place.phase, .step = iteration});
                               }},
                          learner.get(), &compute, &assignment.roots));
  session->Ready(server->endpoint(), run.numerics_id);
  idle();
  compute.Serve([&] {
    if (place.phase == "update" && learner->iteration() > place.step) {
      place.step = learner->iteration();
      idle();
    }
    return session->StopRequested().has_value() || !learner->health().ok();
  });
  server->Shutdown(kPatience);
  const absl::Status health = learner->health();
  // The peers hear the cause from this rank, not that it is gone.
  if (!health.ok()) group->Abort(health.message());
  return health;
}

}  // namespace trainyard::worker
