// The server of a learner rank: PolicyService and WeightsService behind one port. Free of torch,
// protobuf and gRPC in its header.

#ifndef TRAINYARD_WORKER_POLICY_SERVER_H_
#define TRAINYARD_WORKER_POLICY_SERVER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/roots.h"
#include "rpc/fence.h"
#include "worker/compute_queue.h"
#include "worker/learner.h"

namespace trainyard::worker {

struct PolicyServerOptions {
  std::string listen = "127.0.0.1:0";
  std::string advertise;  // host that peers reach this process under
  rpc::JobFence fence;
  std::string numerics_id;
  // Sees every minibatch, on the compute thread.
  std::function<void(int64_t iteration, const MinibatchProgress&)> on_progress;
};

// Guarded; stops serving when destroyed.
class PolicyServer {
 public:
  // Learner (used on `compute` alone), queue and roots outlive it. Unavailable: no port is free.
  static absl::StatusOr<std::unique_ptr<PolicyServer>> Start(const PolicyServerOptions& options,
                                                             Learner* learner,
                                                             ComputeQueue* compute,
                                                             const Roots* roots);
  ~PolicyServer();
  PolicyServer(const PolicyServer&) = delete;
  PolicyServer& operator=(const PolicyServer&) = delete;

  std::string endpoint() const;  // host:port

  // Refuses new calls; running ones get `patience`.
  void Shutdown(absl::Duration patience);

 private:
  struct State;
  explicit PolicyServer(std::unique_ptr<State> state);
  const std::unique_ptr<State> state_;
};

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_POLICY_SERVER_H_
