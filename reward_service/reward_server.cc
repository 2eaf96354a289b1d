#include "reward_service/reward_server.h"

#include <utility>

#include "base/status.h"
#include "model/numerics.h"

namespace trainyard::reward_service {

absl::StatusOr<std::unique_ptr<RewardServer>> RewardServer::Start(RewardServerOptions options) {
  std::unique_ptr<RewardServer> server(new RewardServer());
  std::string numerics_id;
  // Torch's thread settings belong to the thread that uses it: the scoring thread.
  TY_ASSIGN_OR_RETURN(
      server->loop_,
      ScoringLoop::Start(
          [&]() -> absl::StatusOr<std::unique_ptr<Reward>> {
            model::SetComputeThreads(options.threads);
            numerics_id = model::NumericsId("cpu", checkpoint::DType::kF32);
            return Reward::Create(options.job.options);
          },
          Clock::Real()));
  server->numerics_id_ = numerics_id;
  RewardIdentity identity;
  identity.spec = std::move(options.job.spec);
  identity.numerics_id = numerics_id;
  const auto& learned = server->loop_->facts().learned;
  if (learned.has_value()) identity.tokenizer_sha256 = learned->tokenizer_sha256;
  server->service_ = std::make_unique<RewardService>(server->loop_.get(), Clock::Real(),
                                                     std::move(identity));
  rpc::ServerOptions server_options;
  server_options.listen = options.listen;
  server_options.advertise = options.advertise;
  server_options.fence = options.fence;
  TY_ASSIGN_OR_RETURN(server->server_,
                      rpc::Server::Start(server_options, {server->service_.get()}));
  return server;
}

}  // namespace trainyard::reward_service
