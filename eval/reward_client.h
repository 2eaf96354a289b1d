// A reward task, as the drivers of eval/ use it.

#ifndef TRAINYARD_EVAL_REWARD_CLIENT_H_
#define TRAINYARD_EVAL_REWARD_CLIENT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "data/prompt_source.h"
#include "eval/answer.h"
#include "rpc/fence.h"
#include "trainyard/v1/reward.grpc.pb.h"

namespace trainyard::eval {

// Thread-safe.
class RewardClient {
 public:
  RewardClient(const std::string& endpoint, const rpc::JobFence& fence);

  // An answer to be scored in place.
  struct Item {
    const data::Prompt* prompt = nullptr;
    int32_t sample = 0;
    Answer* answer = nullptr;
  };

  // Fills in score, or score_error where the scorer refused; never a number for a failure.
  // FailedPrecondition: the reward model has another tokenizer. Unavailable: the task is gone, no
  // answer was changed.
  absl::Status Score(const std::vector<Item>& items, const std::string& tokenizer_sha256,
                     absl::Duration timeout);

 private:
  const std::string endpoint_;
  const rpc::JobFence fence_;
  const std::unique_ptr<v1::RewardService::Stub> stub_;
};

}  // namespace trainyard::eval

#endif  // TRAINYARD_EVAL_REWARD_CLIENT_H_
