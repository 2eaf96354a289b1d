// A rollout task, as the drivers of eval/ use it.

#ifndef TRAINYARD_EVAL_ROLLOUT_CLIENT_H_
#define TRAINYARD_EVAL_ROLLOUT_CLIENT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "eval/answer.h"
#include "eval/cancel_scope.h"
#include "eval/sampling.h"
#include "rpc/fence.h"
#include "trainyard/v1/rollout.grpc.pb.h"

namespace trainyard::eval {

struct PromptTokens {
  int64_t row = 0;
  const std::vector<int32_t>* token_ids = nullptr;
};

// An answer as it comes back: no text and no score yet.
struct DrawnAnswer {
  int64_t row = 0;
  int32_t sample = 0;
  Answer answer;
};

// Tokens whose log-probs from `begin` on are wanted.
struct ScoredSequence {
  std::vector<int32_t> token_ids;
  int32_t begin = 0;
};

struct CallLimits {
  absl::Duration timeout;
  CancelScope* scope = nullptr;  // may be null
};

// Thread-safe.
class RolloutClient {
 public:
  RolloutClient(const std::string& endpoint, const rpc::JobFence& fence);

  // Draws sampling.samples answers to each prompt; `on_answer` gets each as it is finished, on the
  // calling thread. Unavailable: the task is gone, or aborted some; those delivered count.
  // Otherwise the server's status: InvalidArgument names the prompt.
  absl::Status Generate(const std::vector<PromptTokens>& prompts, const Sampling& sampling,
                        const CallLimits& limits,
                        const std::function<void(DrawnAnswer)>& on_answer);

  // What it draws at present: it changes while the task works, stands still when it does not.
  absl::StatusOr<double> TokensPerSecond(absl::Duration timeout);

  // The sum of each sequence's log-probs from its `begin` on: by the sampling's temperature and
  // masks (InvalidArgument when it has more: UnscoredField), or (null) at temperature 1 without
  // masks.
  absl::StatusOr<std::vector<double>> Score(const std::vector<ScoredSequence>& sequences,
                                            const Sampling* sampling, absl::Duration timeout);

 private:
  const std::string endpoint_;
  const rpc::JobFence fence_;
  const std::unique_ptr<v1::RolloutService::Stub> stub_;
};

}  // namespace trainyard::eval

#endif  // TRAINYARD_EVAL_ROLLOUT_CLIENT_H_
