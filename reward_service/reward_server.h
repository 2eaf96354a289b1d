// A reward server as one object: scorers on their thread, service, port.

#ifndef TRAINYARD_REWARD_SERVICE_REWARD_SERVER_H_
#define TRAINYARD_REWARD_SERVICE_REWARD_SERVER_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "reward_service/reward_spec.h"
#include "reward_service/scoring_loop.h"
#include "reward_service/service.h"
#include "rpc/server.h"

namespace trainyard::reward_service {

struct RewardServerOptions {
  RewardJob job;
  std::string listen = "127.0.0.1:0";
  std::string advertise;
  std::optional<rpc::JobFence> fence;
  int threads = 1;
};

// Owned by main.
class RewardServer {
 public:
  // Loads the scorers and serves. Errors name the component, the file or the address.
  static absl::StatusOr<std::unique_ptr<RewardServer>> Start(RewardServerOptions options);

  std::string endpoint() const { return server_->endpoint(); }
  const std::string& numerics_id() const { return numerics_id_; }

  // Gives running calls `patience`, then ends.
  void Stop(absl::Duration patience) { server_->Shutdown(patience); }

 private:
  RewardServer() = default;

  std::string numerics_id_;
  std::unique_ptr<ScoringLoop> loop_;
  std::unique_ptr<RewardService> service_;
  std::unique_ptr<rpc::Server> server_;
};

}  // namespace trainyard::reward_service

#endif  // TRAINYARD_REWARD_SERVICE_REWARD_SERVER_H_
