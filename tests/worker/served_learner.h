// A learner of one rank behind its real server, computing on a thread of its own.

#ifndef TRAINYARD_TESTS_WORKER_SERVED_LEARNER_H_
#define TRAINYARD_TESTS_WORKER_SERVED_LEARNER_H_

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "rpc/call.h"
#include "rpc/channel.h"
#include "tests/worker/learner_fixture.h"
#include "trainyard/v1/policy.grpc.pb.h"
#include "worker/policy_server.h"

namespace trainyard::worker {

class ServedLearner {
 public:
  using Progress = std::function<void(int64_t iteration, const MinibatchProgress&)>;

  explicit ServedLearner(Progress on_progress = nullptr);
  ~ServedLearner();
  ServedLearner(const ServedLearner&) = delete;
  ServedLearner& operator=(const ServedLearner&) = delete;

  // As the controller sends it.
  static std::vector<v1::UpdateRequest> Requests(const UpdateInput& input);
  // Sends the requests; counts what is reported on the way.
  absl::StatusOr<v1::UpdateResult> Update(const std::vector<v1::UpdateRequest>& requests,
                                          int* progress = nullptr);
  absl::StatusOr<v1::WeightsManifest> Publish(int64_t version);

  rpc::CallOptions Options() const { return {.timeout = absl::Seconds(60), .fence = fence_}; }
  v1::PolicyService::Stub& stub() { return *stub_; }
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  PolicyServer& server() { return *server_; }

  // What another server over the same learner needs.
  Learner* learner() { return learner_.get(); }
  ComputeQueue* compute() { return &compute_; }
  const Roots* roots() const { return &roots_; }

 private:
  const TinyModels tiny_;
  const rpc::JobFence fence_ = {"job", 1, std::string(64, 'b')};
  const Roots roots_{{{"runs", tiny_.root()}}};
  ComputeQueue compute_;
  std::shared_ptr<Learner> learner_;
  std::unique_ptr<PolicyServer> server_;
  absl::Notification ready_, stop_;
  std::thread thread_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::PolicyService::Stub> stub_;
};

}  // namespace trainyard::worker

#endif  // TRAINYARD_TESTS_WORKER_SERVED_LEARNER_H_
