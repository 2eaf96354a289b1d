// RewardService over a scoring loop. Handlers only translate and wait.

#ifndef TRAINYARD_REWARD_SERVICE_SERVICE_H_
#define TRAINYARD_REWARD_SERVICE_SERVICE_H_

#include <functional>
#include <string>

#include "base/clock.h"
#include "reward_service/scoring_loop.h"
#include "trainyard/v1/reward.grpc.pb.h"

namespace trainyard::reward_service {

struct RewardIdentity {
  v1::RewardSpec spec;
  // Of the tokenizer that learned components were trained with; empty: nothing is checked.
  std::string tokenizer_sha256;
  std::string numerics_id;
};

// Of calls whose client set no deadline.
inline constexpr absl::Duration kDefaultScoreTimeout = absl::Minutes(5);

// Guarded; handlers run on gRPC's threads. The loop and the clock must outlive it.
class RewardService final : public v1::RewardService::Service {
 public:
  RewardService(ScoringLoop* loop, const Clock& clock, RewardIdentity identity)
      : loop_(loop), clock_(clock), identity_(std::move(identity)) {}

  // Results in the order of the items. FAILED_PRECONDITION: another tokenizer.
  grpc::Status Score(grpc::ServerContext* context, const v1::ScoreRequest* request,
                     v1::ScoreResponse* response) override;
  grpc::Status ScoreStream(grpc::ServerContext* context, const v1::ScoreRequest* request,
                           grpc::ServerWriter<v1::ScoreResult>* writer) override;
  grpc::Status GetSpec(grpc::ServerContext* context, const v1::GetRewardSpecRequest* request,
                       v1::GetRewardSpecResponse* response) override;
  grpc::Status GetLoad(grpc::ServerContext* context, const v1::GetRewardLoadRequest* request,
                       v1::GetRewardLoadResponse* response) override;

 private:
  // Calls `take` with each result as it is ready.
  absl::Status Forward(grpc::ServerContext* context, const v1::ScoreRequest& request,
                       const std::function<absl::Status(const ScoredItem&)>& take) const;

  ScoringLoop* const loop_;
  const Clock& clock_;
  const RewardIdentity identity_;
};

}  // namespace trainyard::reward_service

#endif  // TRAINYARD_REWARD_SERVICE_SERVICE_H_
