#include "eval/eval_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/eval/fake_cluster.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard::eval {
namespace {

using ::testing::HasSubstr;

class EvalSpecTest : public EvalTest {
 protected:
  EvalSpecTest() {
    Prompts(1);  // writes prompts.jsonl
    assignment_ = Assignment(1);
    task::Artifact model;
    model.uri = "root://data/model";
    model.manifest_sha256 = "m1";
    assignment_.artifacts["sft/model"] = model;
  }
  absl::StatusOr<std::variant<GenerateJob, EvalJob>> Parse() {
    assignment_.job_spec = spec_.SerializeAsString();
    return ParseJob(assignment_);
  }
  task::Assignment assignment_;
  v1::JobSpec spec_;
};

TEST_F(EvalSpecTest, ReadsAGenerateJob) {
  spec_.set_seed(9);
  v1::GenerateSpec* const generate = spec_.mutable_generate();
  generate->mutable_model()->set_artifact("sft/model");
  generate->add_prompts()->mutable_file()->set_uri("root://data/prompts.jsonl");
  generate->set_limit(5);
  generate->mutable_sampling()->set_max_new_tokens(8);
  generate->mutable_sampling()->set_temperature(0);
  generate->mutable_chat_template()->set_name("custom");
  generate->mutable_chat_template()->set_end_of_turn("<|end|>");
  v1::RoleTemplate* const role = generate->mutable_chat_template()->add_roles();
  role->set_role("assistant");
  role->set_prefix("<|assistant|>");
  const auto job = Parse();
  ASSERT_TRUE(job.ok()) << job.status();
  const GenerateJob& parsed = std::get<GenerateJob>(*job);
  EXPECT_EQ(parsed.model.digest, "m1");
  EXPECT_EQ(parsed.tokenizer_directory, parsed.model.directory);
  EXPECT_EQ(parsed.prompts.sampling.temperature, 0);
  EXPECT_EQ(parsed.prompts.sampling.seed, 9);  // the job's
  EXPECT_EQ(parsed.prompts.sampling.samples, 1);
  EXPECT_EQ(parsed.prompts.limit, 5);
  EXPECT_EQ(parsed.prompts.chat_template->roles.at("assistant").suffix, "<|end|>");
  EXPECT_FALSE(parsed.scored);
}

TEST_F(EvalSpecTest, ReadsEveryFieldOfSampling) {
  v1::GenerateSpec* const generate = spec_.mutable_generate();
  generate->mutable_model()->set_artifact("sft/model");
  generate->add_prompts()->mutable_file()->set_uri("root://data/prompts.jsonl");
  v1::SamplingSpec* const given = generate->mutable_sampling();
  given->set_max_new_tokens(8);
  given->set_min_p(0.1);
  given->set_typical_p(0.2);
  given->set_repetition_penalty(1.3);
  given->set_presence_penalty(0.4);
  given->set_frequency_penalty(0.5);
  given->add_logit_bias()->set_token("a");
  given->mutable_logit_bias(0)->set_bias(-7);
  given->add_allowed_tokens("b");
  given->set_best_of(9);
  given->mutable_beam()->set_width(3);
  const auto job = Parse();
  ASSERT_TRUE(job.ok()) << job.status();
  const SamplingText& read = std::get<GenerateJob>(*job).prompts.sampling;
  EXPECT_EQ(read.min_p, 0.1);
  EXPECT_EQ(read.typical_p, 0.2);
  EXPECT_EQ(read.repetition_penalty, 1.3);
  EXPECT_EQ(read.presence_penalty, 0.4);
  EXPECT_EQ(read.frequency_penalty, 0.5);
  EXPECT_THAT(read.logit_bias, testing::ElementsAre(std::pair("a", -7.0)));
  EXPECT_THAT(read.allowed_tokens, testing::ElementsAre("b"));
  EXPECT_EQ(read.best_of, 9);
  EXPECT_EQ(read.beam.width, 3);
  EXPECT_EQ(read.beam.length_penalty, 1);
  given->mutable_beam()->set_length_penalty(0);
  const auto zero = Parse();
  EXPECT_EQ(std::get<GenerateJob>(*zero).prompts.sampling.beam.length_penalty, 0);
}

TEST_F(EvalSpecTest, ReadsAServedJob) {
  v1::GenerateSpec* const generate = spec_.mutable_generate();
  generate->mutable_model()->set_artifact("sft/model");
  EXPECT_THAT(std::string(Parse().status().message()), HasSubstr("generate.prompts is empty"));
  generate->set_serve(true);
  EXPECT_EQ(std::get<GenerateJob>(*Parse()).serve_idle, absl::Minutes(10));
  generate->set_serve_idle_seconds(1.5);
  EXPECT_EQ(std::get<GenerateJob>(*Parse()).serve_idle, absl::Seconds(1.5));
}

TEST_F(EvalSpecTest, ReadsATask) {
  v1::EvalSpec* const eval = spec_.mutable_eval();
  v1::EvalModel* const model = eval->add_models();
  model->set_name("sft");
  model->mutable_model()->set_artifact("sft/model");
  v1::EvalTask* const task = eval->add_tasks();
  task->set_name("capitals");
  task->set_kind("multiple_choice");
  task->add_items()->mutable_file()->set_uri("root://data/prompts.jsonl");
  task->set_prompt("{q}");
  task->set_target("{a}");
  auto job = Parse();
  ASSERT_TRUE(job.ok()) << job.status();
  TaskJob parsed = std::get<EvalJob>(*job).tasks.at(0);
  EXPECT_EQ(parsed.kind, TaskKind::kMultipleChoice);
  EXPECT_EQ(parsed.items[0].paths[0], directory_ + "/prompts.jsonl");
  EXPECT_EQ(parsed.choices, "choices");
  EXPECT_EQ(parsed.target_delimiter, " ");
  EXPECT_EQ(parsed.example_delimiter, "\n\n");
  EXPECT_EQ(parsed.max_new_tokens, 256);
  EXPECT_FALSE(parsed.shots_seed.has_value());
  task->set_kind("exact_match");
  task->set_limit(7);
  task->set_description("D");
  task->set_target_delimiter("");
  task->set_example_delimiter("\n");
  task->set_shots(3);
  task->add_examples()->mutable_file()->set_uri("root://data/prompts.jsonl");
  task->set_shots_seed(0);
  task->set_reasoning("{r}");
  task->set_answer_pattern("(x)");
  task->set_ignore_case(true);
  task->set_ignore_punctuation(true);
  task->set_max_new_tokens(9);
  task->add_stop("\n");
  task->set_chat(true);
  job = Parse();
  ASSERT_TRUE(job.ok()) << job.status();
  parsed = std::get<EvalJob>(*job).tasks.at(0);
  EXPECT_EQ(parsed.kind, TaskKind::kExactMatch);
  EXPECT_EQ(parsed.limit, 7);
  EXPECT_EQ(parsed.description, "D");
  EXPECT_EQ(parsed.target_delimiter, "");
  EXPECT_EQ(parsed.example_delimiter, "\n");
  EXPECT_EQ(parsed.shots, 3);
  EXPECT_EQ(parsed.examples.size(), 1u);
  EXPECT_EQ(parsed.shots_seed, 0u);
  EXPECT_EQ(parsed.reasoning, "{r}");
  EXPECT_EQ(parsed.answer_pattern, "(x)");
  EXPECT_TRUE(parsed.ignore_case);
  EXPECT_TRUE(parsed.ignore_punctuation);
  EXPECT_EQ(parsed.max_new_tokens, 9);
  EXPECT_THAT(parsed.stop, ::testing::ElementsAre("\n"));
  EXPECT_TRUE(parsed.chat);
  task->set_kind("guess");
  EXPECT_THAT(std::string(Parse().status().message()), HasSubstr("tasks.kind is \"guess\""));
}

TEST_F(EvalSpecTest, ReadsAnEvalJob) {
  v1::EvalSpec* const eval = spec_.mutable_eval();
  v1::EvalModel* const model = eval->add_models();
  model->set_name("sft");
  model->set_baseline(true);
  model->mutable_model()->set_artifact("sft/model");
  eval->add_text()->mutable_file()->set_uri("root://data/prompts.jsonl");
  v1::EvalMetric* const metric = eval->add_metrics();
  metric->set_name("polarity");
  metric->set_kind("polarity");
  metric->mutable_file()->set_uri("root://data/prompts.jsonl");
  v1::EvalGate* const gate = eval->add_gates();
  gate->set_metric("polarity");
  gate->set_of("delta");
  gate->set_min(0.15);
  gate->set_ci_low_min(0.1);
  eval->mutable_reward();
  const auto job = Parse();
  ASSERT_TRUE(job.ok()) << job.status();
  const EvalJob& parsed = std::get<EvalJob>(*job);
  EXPECT_TRUE(parsed.models[0].baseline);
  EXPECT_EQ(parsed.gates[0].of, GateOf::kDelta);
  EXPECT_EQ(parsed.gates[0].ci_low_min, 0.1);
  EXPECT_EQ(parsed.gates[0].max, std::nullopt);
  EXPECT_EQ(parsed.bootstrap.resamples, 2000);
  EXPECT_EQ(parsed.text.size(), 1);
  EXPECT_TRUE(parsed.scored);
  EXPECT_TRUE(parsed.prompts.sources.empty());
}

TEST_F(EvalSpecTest, NamesWhatIsMissingOrWrong) {
  spec_.mutable_generate()->mutable_model()->set_artifact("other/model");
  EXPECT_THAT(std::string(Parse().status().message()), HasSubstr("other/model"));
  spec_.mutable_generate()->mutable_model()->set_uri("root://data/nowhere");
  EXPECT_EQ(Parse().status().code(), absl::StatusCode::kNotFound);
  spec_.mutable_generate()->mutable_model()->set_artifact("sft/model");
  EXPECT_THAT(std::string(Parse().status().message()), HasSubstr("generate.prompts is empty"));
  spec_.mutable_generate()->add_prompts()->mutable_file()->set_uri("root://data/prompts.jsonl");
  EXPECT_THAT(std::string(Parse().status().message()), HasSubstr("max_new_tokens"));
  spec_.mutable_sft();
  EXPECT_THAT(std::string(Parse().status().message()), HasSubstr("eval and generate"));
}

}  // namespace
}  // namespace trainyard::eval
