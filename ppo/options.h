// What the controller of a PPO run is told. Free of protobuf and gRPC. Values.

#ifndef TRAINYARD_PPO_OPTIONS_H_
#define TRAINYARD_PPO_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/json.h"
#include "base/roots.h"
#include "rl/kl.h"
#include "rl/reward_assembly.h"
#include "rpc/fence.h"

namespace trainyard::ppo {

// How answers are drawn. Forbidden ids, min_new_tokens and temperature define the policy: the
// learners apply the same.
struct Sampling {
  double temperature = 1.0;
  int top_k = 0;         // 0: off
  double top_p = 1;      // 1: off
  double min_p = 0;      // 0: off
  double typical_p = 1;  // 1: off
  int max_new_tokens = 0;
  int min_new_tokens = 0;
  std::vector<int32_t> forbidden_ids;
  std::vector<int32_t> end_ids;
  std::vector<std::string> stop_strings;
  bool ignore_eos = false;
};

// Longest waits. A call that exceeds its own is tried again elsewhere, or fails the attempt.
struct Timeouts {
  absl::Duration ready = absl::Minutes(10);   // for all learner ranks at the start
  absl::Duration call = absl::Seconds(30);    // small calls
  absl::Duration generate = absl::Minutes(5);  // one stream of answers
  absl::Duration score = absl::Minutes(2);    // one call of scores
  absl::Duration update = absl::Hours(1);     // one iteration's update
  absl::Duration load_weights = absl::Minutes(2);
  absl::Duration save = absl::Minutes(10);
  absl::Duration commit = absl::Minutes(30);  // the coordinator may be away for that long
};

struct ControllerOptions {
  rpc::JobFence fence;
  std::string run_uri;  // root://...
  Roots roots;
  uint64_t seed = 0;           // of sampling and of minibatches
  std::string tokenizer_hash;  // of the run; empty: not checked
  std::string tokenizer_directory;  // its files go into the final artifact
  Json chat_template;               // and this into its manifest; null = none
  bool adapter = false;             // the policy is trained by adapters, which are an output too

  int64_t iterations = 0;
  int64_t prompts_per_iteration = 512;
  int64_t samples_per_prompt = 1;
  int64_t minibatch = 64;
  int64_t passes = 1;
  Sampling sampling;
  rl::NoEndRule no_end_rule = rl::NoEndRule::kConstant;

  double beta = 0.02;
  std::optional<rl::AdaptiveBetaOptions> adaptive_beta;
  int64_t critic_warmup = 0;
  int64_t checkpoint_every = 1;
  int keep_checkpoints = 2;
  int64_t eval_every = 0;
  double max_failed_fraction = 0.1;
  absl::Duration stall_limit = absl::Minutes(10);
  bool allow_numerics_change = false;

  int learners = 1;  // ranks
  Timeouts timeouts;
};

}  // namespace trainyard::ppo

#endif  // TRAINYARD_PPO_OPTIONS_H_
