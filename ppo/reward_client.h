// A reward task, as the controller uses it.

#ifndef TRAINYARD_PPO_REWARD_CLIENT_H_
#define TRAINYARD_PPO_REWARD_CLIENT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "ppo/cancel_scope.h"
#include "rl/trajectory.h"
#include "rpc/fence.h"
#include "trainyard/v1/reward.grpc.pb.h"

namespace trainyard::ppo {

// An answer and what a scorer may want to know about it.
struct Answer {
  rl::Trajectory trajectory;
  std::string prompt;     // text, without template tokens
  std::string text;       // of the answer
  std::string reference;  // the row's own answer, for rule rewards; may be empty
};

struct RewardSpec {
  std::string tokenizer_hash;
  std::string spec_hash;  // identity of the reward
};

// Thread-safe; calls end early when `scope` (may be null) is cancelled.
class RewardClient {
 public:
  RewardClient(const std::string& endpoint, const rpc::JobFence& fence);

  absl::StatusOr<RewardSpec> GetSpec(absl::Duration timeout);

  // Fills in scores and status of every answer. On an error none is changed. Internal when the
  // results are not those of the answers.
  absl::Status Score(std::vector<Answer>& answers, const std::string& tokenizer_hash,
                     absl::Duration timeout, CancelScope* scope);

 private:
  const std::string endpoint_;
  const rpc::JobFence fence_;
  const std::unique_ptr<v1::RewardService::Stub> stub_;
};

}  // namespace trainyard::ppo

#endif  // TRAINYARD_PPO_REWARD_CLIENT_H_
