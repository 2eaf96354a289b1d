// What an eval or generate job is asked to do, as plain values.

#ifndef TRAINYARD_EVAL_EVAL_JOB_H_
#define TRAINYARD_EVAL_EVAL_JOB_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "data/source.h"
#include "eval/measure.h"
#include "eval/verdict.h"
#include "tokenizer/chat_template.h"

namespace trainyard::eval {

// Deterministic search instead of sampling (config.proto's BeamSearchSpec).
struct BeamSearch {
  int32_t width = 0;  // 0: none
  double length_penalty = 1;
  std::string early_stopping;  // "" or "heuristic", "first", "never"
};

// How answers are drawn; tokens by their text. config.proto's SamplingSpec says what fields mean.
struct SamplingText {
  double temperature = 1;  // 0: greedy
  int32_t top_k = 0;
  double top_p = 0;
  int32_t max_new_tokens = 0;
  int32_t min_new_tokens = 0;
  double min_p = 0;
  double typical_p = 0;
  double repetition_penalty = 0;
  double presence_penalty = 0;
  double frequency_penalty = 0;
  std::vector<std::pair<std::string, double>> logit_bias;
  std::vector<std::string> allowed_tokens;
  int32_t best_of = 0;
  BeamSearch beam;
  std::vector<std::string> forbidden_tokens;
  std::vector<std::string> stop_strings;
  std::vector<std::string> stop_tokens;
  bool ignore_eos = false;
  uint64_t seed = 0;
  int32_t samples = 1;
};

struct PromptJob {
  std::vector<data::SourceSpec> sources;
  int64_t limit = 0;  // 0: all, in order; else the first so many after shuffling
  uint64_t shuffle_seed = 0;
  std::optional<tokenizer::ChatTemplateSpec> chat_template;
  SamplingText sampling;
};

struct ModelPlace {
  std::string name;
  std::string directory;
  std::string digest;  // of its manifest; empty for a directory that is no artifact
  bool baseline = false;
};

struct GenerateJob {
  ModelPlace model;
  std::string tokenizer_directory;
  PromptJob prompts;
  bool scored = false;  // by reward tasks
  // No prompts: whoever has the right calls the rollout tasks, until nobody did for so long.
  std::optional<absl::Duration> serve_idle;
};

// A metric and where its file is.
struct MetricJob {
  std::string name;
  MetricKind kind = MetricKind::kPolarity;
  std::string path;  // empty: none
};

enum class TaskKind { kExactMatch, kMultipleChoice };

// A benchmark with right answers: config.proto's EvalTask, which says what the fields mean.
struct TaskJob {
  std::string name;
  TaskKind kind = TaskKind::kExactMatch;
  std::vector<data::SourceSpec> items;
  int64_t limit = 0;  // 0: all
  std::string prompt;
  std::string target;
  std::string choices = "choices";
  std::string target_delimiter = " ";
  std::string example_delimiter = "\n\n";
  std::string description;
  int32_t shots = 0;
  std::vector<data::SourceSpec> examples;  // empty: the other items
  std::optional<uint64_t> shots_seed;
  std::string reasoning;
  std::string answer_pattern;
  bool ignore_case = false;
  bool ignore_punctuation = false;
  int32_t max_new_tokens = 256;
  std::vector<std::string> stop;
  bool chat = false;  // under PromptJob::chat_template
};

struct EvalJob {
  std::vector<ModelPlace> models;  // rollout task i serves model i
  PromptJob prompts;
  bool scored = false;
  std::vector<MetricJob> metrics;
  std::vector<Gate> gates;
  BootstrapOptions bootstrap;
  std::vector<data::SourceSpec> text;  // for perplexity and bits per byte
  std::vector<TaskJob> tasks;
};

}  // namespace trainyard::eval

#endif  // TRAINYARD_EVAL_EVAL_JOB_H_
