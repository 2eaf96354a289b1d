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
