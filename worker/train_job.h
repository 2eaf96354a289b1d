// A training job in plain words: what worker_spec.cc makes of the protobuf spec. No torch, no
// protobuf. Paths are of this machine, resolved beneath their roots.

#ifndef TRAINYARD_WORKER_TRAIN_JOB_H_
#define TRAINYARD_WORKER_TRAIN_JOB_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/safetensors.h"
#include "data/batch_builder.h"
#include "data/dataset.h"
#include "model/adapter_options.h"
#include "model/config.h"
#include "tokenizer/chat_template.h"
#include "worker/loop_options.h"
#include "worker/optimizer_options.h"
#include "worker/schedule.h"
#include "worker/spike_guard.h"

namespace trainyard::worker {

enum class TrainKind { kPretrain, kSft, kRewardModel };

struct OptimizerJob {
  AdamWOptions adamw;
  double clip_norm = 1.0;    // <= 0: off
  Schedule schedule;         // total_steps and warm-up are resolved with the data
  double warmup_ratio = 0;   // used when schedule.warmup_steps is 0
  SpikeGuardOptions spike_guard;
};

struct NewModel {
  model::ModelConfig config;  // vocab_size 0: the tokenizer's
  double init_std = 0.02;
};

struct RewardModelJob {
  double margin = 0;
  double min_gap = 0;
  // Rows with answers, on which the scores' mean and deviation are fitted; none: validation rows.
  std::optional<data::SourceSpec> reference;
  bool reference_finished_only = true;
};

struct TrainJob {
  TrainKind kind = TrainKind::kPretrain;
  uint64_t seed = 0;
  std::optional<NewModel> new_model;  // or
  std::string init_from;              // directory of weights
  std::optional<model::AdapterOptions> lora;  // none: every weight is trained
  std::string tokenizer_directory;
  data::DatasetSpec train;       // max_tokens 0: the model's context
  data::DatasetSpec validation;  // no sources: no validation
  std::optional<tokenizer::ChatTemplateSpec> chat_template;
  data::BatchOptions batch;
  OptimizerJob optimizer;
  LoopOptions loop;   // total_steps 0: from `passes`
  double passes = 0;
  int keep_checkpoints = 2;
  checkpoint::DType dtype = checkpoint::DType::kF32;
  double z_loss = 0;
  RewardModelJob reward;
  bool allow_numerics_change = false;
  bool deterministic = false;
};

// Trains a byte-level BPE tokenizer; output "tokenizer".
struct TokenizerJob {
  std::vector<data::SourceSpec> sources;
  int32_t vocab_size = 0;
  std::vector<std::string> special_tokens;
  std::string end_of_text;
  std::string pad;
  int64_t min_frequency = 2;
};

// Writes token shards; output "tokens".
struct TokenizeJob {
  std::vector<data::SourceSpec> sources;
  std::string tokenizer_directory;
  int64_t shard_tokens = 100'000'000;
  int threads = 1;
};

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_TRAIN_JOB_H_
