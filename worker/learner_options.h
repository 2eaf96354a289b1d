// What a PPO learner is told, and what goes in and out of it. Free of torch, protobuf and gRPC.

#ifndef TRAINYARD_WORKER_LEARNER_OPTIONS_H_
#define TRAINYARD_WORKER_LEARNER_OPTIONS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/safetensors.h"
#include "model/adapter_options.h"
#include "rl/balance.h"
#include "rl/iteration_targets.h"
#include "rl/trajectory.h"
#include "worker/optimizer_options.h"
#include "worker/schedule.h"

namespace trainyard::worker {

// KL to the reference as a term of the loss. k1 is not among them: its expected gradient is zero.
enum class KlLoss { kNone, kK2, kK3 };

struct PpoLossOptions {
  double clip_ratio = 0.2;
  double dual_clip = 3.0;   // > 1; 0: off
  double value_clip = 0.2;  // 0: off
  double entropy_weight = 0;
  KlLoss kl_loss = KlLoss::kNone;
  double kl_loss_weight = 0;
};

// What makes logits a distribution: applied alike in rollout, policy, old and reference log-probs.
struct PolicyDefinition {
  double temperature = 1.0;
  std::vector<int64_t> forbidden_ids;  // never sampled
  std::vector<int64_t> end_ids;        // forbidden for the first min_new_tokens answer tokens
  int64_t min_new_tokens = 0;
};

struct LearnerOptimizer {
  AdamWOptions adamw;
  double clip_norm = 1.0;  // <= 0: off
  Schedule schedule;       // over optimizer steps (minibatches)
};

struct LearnerOptions {
  PolicyDefinition policy;
  PpoLossOptions loss;
  rl::TargetOptions targets;  // its beta is replaced by each update's
  LearnerOptimizer actor;
  LearnerOptimizer critic;
  int64_t micro_batch_tokens = 16384;
  double kl_stop = 0;  // mean k3 to pi_old of a minibatch that ends the iteration; 0: off
  // Largest mean distance between the rollout's log-probs and the learner's; 0: not gated.
  double rollout_gap_limit = 0;
  // Adapters of policy and critic, the critic's head beside them; none: every weight is trained.
  std::optional<model::AdapterOptions> lora;
  uint64_t seed = 0;
  checkpoint::DType dtype = checkpoint::DType::kF32;
  std::string device = "cpu";  // or "cuda"
};

// Directories in Hugging Face form.
struct LearnerModels {
  std::string policy;  // also the frozen reference
  std::string critic;  // a reward model; empty: the policy's trunk with a new head
  std::string tokenizer_sha256;  // of the run; empty: the policy's
};

enum class ScoredModel { kPolicy, kReference, kCritic };

struct ScoredSequence {
  std::vector<int32_t> token_ids;
  int64_t begin = 1;  // first token that is scored; it and all after it are answer tokens
};

// One iteration as it arrives at every rank.
struct UpdateInput {
  int64_t iteration = 0;
  int64_t base_version = 0;
  std::string digest;  // of plan and trajectories, as sent
  rl::IterationPlan plan;
  double beta = 0;
  bool critic_only = false;
  std::vector<rl::Trajectory> trajectories;  // in canonical order
};

struct MinibatchProgress {
  int64_t pass = 0;
  int64_t minibatch = 0;
  std::map<std::string, double> metrics;
};

struct IterationResult {
  int64_t iteration = 0;
  int64_t version = 0;
  std::map<std::string, double> metrics;
  std::string weights_digest;  // XXH3-128 over the policy's parameters; equal on all ranks
};

struct LearnerSpec {
  int rank = 0;
  int world_size = 1;
  int64_t version = 0;
  int64_t iteration = 0;  // consumed so far
  std::string tokenizer_sha256;
  std::string config_json;
  double beta = 0;  // of the last update
  std::string restored_manifest_sha256;  // empty: from scratch
};

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_LEARNER_OPTIONS_H_
