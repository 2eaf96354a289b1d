// A small real service for the tests of rpc/: answers, counts, fails and waits on order.

#ifndef TRAINYARD_TESTS_RPC_SCORE_SERVICE_H_
#define TRAINYARD_TESTS_RPC_SCORE_SERVICE_H_

#include <atomic>
#include <functional>

#include "rpc/status.h"
#include "trainyard/v1/reward.grpc.pb.h"

namespace trainyard::rpc {

class ScoreService final : public v1::RewardService::Service {
 public:
  grpc::Status GetLoad(grpc::ServerContext* context, const v1::GetRewardLoadRequest*,
                       v1::GetRewardLoadResponse* response) override {
    const int call = ++calls;
    response->set_queued(call);
    return ToGrpc(behaviour ? behaviour(call, context) : absl::OkStatus(), context);
  }

  // Result of the n-th call (from 1). Set before the server starts.
  std::function<absl::Status(int call, grpc::ServerContext*)> behaviour;
  std::atomic<int> calls = 0;
};

}  // namespace trainyard::rpc

#endif  // TRAINYARD_TESTS_RPC_SCORE_SERVICE_H_
