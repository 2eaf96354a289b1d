// Specs for tests, written as users write them.

#ifndef TRAINYARD_TESTS_COORDINATOR_SERVICE_SPEC_TEXTS_H_
#define TRAINYARD_TESTS_COORDINATOR_SERVICE_SPEC_TEXTS_H_

#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

#include "cli/spec_file.h"

namespace trainyard::coordinator {

// The job that `yaml` describes, with `overrides` ("a.b=c") applied. Fails the test when it is not
// a job.
inline v1::JobSpec Job(const std::string& yaml, const std::vector<std::string>& overrides = {}) {
  auto spec = cli::ParseSpec(yaml, "test.yaml", overrides);
  EXPECT_TRUE(spec.ok()) << spec.status();
  return spec.ok() ? std::get<v1::JobSpec>(*spec) : v1::JobSpec();
}

inline v1::PipelineSpec Pipeline(const std::string& yaml) {
  auto spec = cli::ParseSpec(yaml, "test.yaml", {});
  EXPECT_TRUE(spec.ok()) << spec.status();
  return spec.ok() ? std::get<v1::PipelineSpec>(*spec) : v1::PipelineSpec();
}

inline constexpr char kFake[] = "name: fake\nfake: {steps: 3}\n";

inline constexpr char kPretrain[] = R"(
name: pretrain
pretrain:
  model: {family: llama, layers: 2, hidden_size: 64, heads: 4, context: 64}
  data:
    tokenizer: root://data/tokenizer
    train: [{file: root://data/text.txt}]
  optimizer: {lr: 1e-3}
  loop: {steps: 10, global_batch: 4}
)";

inline constexpr char kSft[] = R"(
name: sft
sft:
  init_from: root://data/model
  data:
    train: [{file: root://data/rows.jsonl}]
    chat_template: {name: chatml}
  optimizer: {lr: 1e-3}
  loop: {passes: 1, global_batch: 4}
)";

inline constexpr char kRewardModel[] = R"(
name: rm
reward_model:
  init_from: root://data/model
  data: {train: [{file: root://data/ranked.jsonl}]}
  optimizer: {lr: 1e-3}
  loop: {steps: 10, global_batch: 4}
  group_size: 4
)";

inline constexpr char kPpo[] = R"(
name: ppo
ppo:
  policy: sft/model
  reward: {components: [{name: rm, learned: {model: rm/reward_model}}]}
  data: {train: [{file: root://data/prompts.jsonl}]}
  sampling: {max_new_tokens: 16}
  actor: {lr: 1e-5}
  iterations: 4
  prompts_per_iteration: 16
)";

inline constexpr char kTokenizer[] = R"(
name: tok
tokenizer:
  train: [{file: root://data/text.txt}]
  vocab_size: 512
  special_tokens: ["<|end|>"]
  end_of_text: "<|end|>"
)";

inline constexpr char kGenerate[] = R"(
name: generate
generate:
  model: root://data/model
  prompts: [{file: root://data/prompts.jsonl}]
  sampling: {max_new_tokens: 16}
)";

inline constexpr char kEval[] = R"(
name: eval
eval:
  models:
    - {name: a, model: root://data/a, baseline: true}
    - {name: b, model: root://data/b}
  prompts: [{file: root://data/prompts.jsonl}]
  sampling: {max_new_tokens: 16}
  metrics: [{name: variety, kind: distinct_2}]
  gates: [{metric: variety, of: ratio, min: 0.6}]
)";

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_TESTS_COORDINATOR_SERVICE_SPEC_TEXTS_H_
