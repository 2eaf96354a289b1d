// A rollout server as one object: model, engine, service, port.

#ifndef TRAINYARD_ROLLOUT_ROLLOUT_SERVER_H_
#define TRAINYARD_ROLLOUT_ROLLOUT_SERVER_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "rollout/engine_loop.h"
#include "rollout/service.h"
#include "rollout/weights_client.h"
#include "rollout/weights_inbox.h"
#include "rpc/server.h"

namespace trainyard::rollout {

struct RolloutServerOptions {
  std::string model_directory;
  std::string tokenizer_directory;  // empty: none is needed
  std::string listen = "127.0.0.1:0";
  std::string advertise;
  std::optional<rpc::JobFence> fence;  // checked in calls, presented to learners
  int threads = 1;
  int64_t cache_bytes = int64_t{1} << 30;
  int64_t version = 0;  // of the directory's weights
  bool bf16 = false;    // products in bf16, sums in fp32; else all in fp32
};

// Owned by main.
class RolloutServer {
 public:
  // Loads, tests itself and serves. Errors name the file, the tensor or the address.
  static absl::StatusOr<std::unique_ptr<RolloutServer>> Start(const RolloutServerOptions& options);

  std::string endpoint() const { return server_->endpoint(); }
  const std::string& numerics_id() const { return numerics_id_; }

  // Ends in order: no new work, what runs gets `patience`, the port closes.
  void Stop(absl::Duration patience);

 private:
  RolloutServer() = default;

  std::string numerics_id_;
  std::unique_ptr<EngineLoop> loop_;
  std::unique_ptr<WeightsInbox> inbox_;
  std::unique_ptr<WeightsClient> client_;
  std::unique_ptr<RolloutService> service_;
  std::unique_ptr<rpc::Server> server_;
};

}  // namespace trainyard::rollout

#endif  // TRAINYARD_ROLLOUT_ROLLOUT_SERVER_H_
