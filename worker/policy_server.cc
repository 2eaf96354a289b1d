#include "worker/policy_server.h"

#include <utility>

#include "base/status.h"
#include "rpc/server.h"
#include "worker/policy_service.h"
#include "worker/weights_service.h"

namespace trainyard::worker {

struct PolicyServer::State {
  PublishedVersions versions;
  std::unique_ptr<PolicyService> policy;
  std::unique_ptr<WeightsService> weights;
  std::unique_ptr<rpc::Server> server;  // last: goes first
};

PolicyServer::PolicyServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
PolicyServer::~PolicyServer() = default;

absl::StatusOr<std::unique_ptr<PolicyServer>> PolicyServer::Start(
    const PolicyServerOptions& options, Learner* learner, ComputeQueue* compute,
    const Roots* roots) {
  SharedMemory::RemoveStale();
  auto state = std::make_unique<State>();
  state->policy = std::make_unique<PolicyService>(PolicyServiceContext{
      .learner = learner,
      .compute = compute,
      .versions = &state->versions,
      .roots = roots,
      .numerics_id = options.numerics_id,
      .endpoint = [raw = state.get()] { return raw->server->endpoint(); },
      .on_progress =
          [report = options.on_progress](const UpdateInput& input,
                                         const MinibatchProgress& progress) {
            if (report) report(input.iteration, progress);
          }});
  state->weights = std::make_unique<WeightsService>(&state->versions);
  TY_ASSIGN_OR_RETURN(state->server,
                      rpc::Server::Start({.listen = options.listen,
                                          .advertise = options.advertise,
                                          .fence = options.fence},
                                         {state->policy.get(), state->weights.get()}));
  return std::unique_ptr<PolicyServer>(new PolicyServer(std::move(state)));
}

std::string PolicyServer::endpoint() const { return state_->server->endpoint(); }

void PolicyServer::Shutdown(absl::Duration patience) { state_->server->Shutdown(patience); }

}  // namespace trainyard::worker
