#include "coordinator/spec_validation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/coordinator_service/spec_texts.h"

namespace trainyard::coordinator {
namespace {

using ::testing::HasSubstr;

std::vector<std::string> Lines(const std::vector<rpc::FieldViolation>& violations) {
  std::vector<std::string> lines;
  for (const auto& violation : violations) {
    lines.push_back(absl::StrCat(violation.field, " ", violation.message));
  }
  return lines;
}

TEST(SpecValidationTest, AGoodSpecOfEachKindHasNoViolations) {
  for (const char* text :
       {kFake, kPretrain, kSft, kRewardModel, kPpo, kTokenizer, kGenerate, kEval}) {
    EXPECT_THAT(Lines(ValidateJob(Job(text))), ::testing::IsEmpty()) << text;
  }
}

TEST(SpecValidationTest, EveryViolationIsReportedAtOnceWithItsPath) {
  const auto lines = Lines(ValidateJob(
      Job(kSft, {"sft.optimizer.lr=0", "sft.loop.global_batch=0", "sft.data.overlong=dorp"})));
  EXPECT_THAT(lines,
              ::testing::UnorderedElementsAre(
                  "sft.data.overlong is \"dorp\", must be one of drop, refuse (did you mean drop?)",
                  "sft.optimizer.lr is 0, must be more than 0",
                  "sft.loop.global_batch is 0, must be at least 1"));
}

struct Case {
  const char* text;
  std::vector<std::string> overrides;
  const char* violation;
};

class SpecRuleTest : public ::testing::TestWithParam<Case> {};

TEST_P(SpecRuleTest, IsHeld) {
  const auto lines = Lines(ValidateJob(Job(GetParam().text, GetParam().overrides)));
  EXPECT_THAT(lines, ::testing::Contains(HasSubstr(GetParam().violation)));
}

INSTANTIATE_TEST_SUITE_P(
    Common, SpecRuleTest,
    ::testing::Values(
        Case{"name: x\n", {}, "the job has no kind"},
        Case{kFake, {"name=Bad_Name"}, "name is \"Bad_Name\""},
        Case{kFake, {"run_uri=/tmp/x"}, "run_uri is \"/tmp/x\", must be root://NAME"},
        Case{kFake, {"run_uri=root://runs/../x"}, "may not have empty, \".\" or \"..\" parts"},
        Case{kFake, {"run_uri=root://runs"}, "a path below the root is missing"},
        Case{kFake, {"priority=5000"}, "priority is 5000, must be within -1000 .. 1000"},
        Case{kFake, {"roles=[{name: trainr}]"}, "roles[0].name is \"trainr\"; this kind has"},
        Case{kFake, {"roles=[{name: trainer}, {name: trainer}]"}, "roles[1].name \"trainer\""},
        Case{kFake, {"roles=[{name: trainer, count: 5000}]"}, "a job has at most 4096 tasks"},
        Case{kFake, {"roles=[{name: trainer, min_count: 1}]"}, "is only for elastic roles"},
        Case{kFake, {"roles=[{name: rollout, count: 2, min_count: 3}]"}, "is 3, more than count 2"},
        Case{kFake, {"roles=[{name: trainer, resources: {gpus: 2}}]"}, "resources.gpus is 2"},
        Case{kFake,
             {"roles=[{name: trainer, resources: {gpu_memory_fraction: 0.5}}]"},
             "resources.device_group is missing"},
        Case{kFake, {"fake.steps=0"}, "fake.steps is 0, must be at least 1"},
        Case{kFake, {"after=['']"}, "after[0] is empty"}));

INSTANTIATE_TEST_SUITE_P(
    Training, SpecRuleTest,
    ::testing::Values(
        Case{kPretrain, {"pretrain.model.heads=5"}, "model.heads is 5 and does not divide"},
        Case{kPretrain, {"pretrain.model.kv_heads=3"}, "model.kv_heads is 3 and does not divide"},
        Case{kPretrain, {"pretrain.model.family=lama"}, "did you mean llama?"},
        Case{kPretrain, {"pretrain.model.dropout=0.1"}, "there is no dropout"},
        Case{kPretrain, {"pretrain.init_from=root://data/m"}, "and init_from exclude each other"},
        Case{kPretrain, {"pretrain.loop.passes=2"}, "passes and steps exclude each other"},
        Case{kPretrain, {"pretrain.data.tokenizer={}"}, "pretrain.data.tokenizer is missing"},
        Case{kPretrain, {"pretrain.data.train=[]"}, "pretrain.data.train is empty"},
        Case{kPretrain,
             {"pretrain.data.train.0.file=my/data/x.txt"},
             "pretrain.data.train[0].file is \"my/data/x.txt\", must be root://NAME/path, or"},
        Case{kSft,
             {"sft.init_from=a/b/c/d"},
             "sft.init_from is \"a/b/c/d\", must be root://NAME/path, or"},
        Case{kSft, {"sft.data.train.0.format=csv"}, "must be one of text, lines, jsonl, shards"},
        Case{kSft, {"sft.data.chat_template.name=custom"}, "chat_template.roles is empty"},
        Case{kSft, {"sft.data.instruction_templates=[hello]"}, "must hold {prompt}"},
        Case{kSft, {"sft.optimizer.schedule=cosin"}, "did you mean cosine?"},
        Case{kSft,
             {"sft.optimizer.warmup_steps=3", "sft.optimizer.warmup_ratio=0.1"},
             "warmup_ratio and warmup_steps exclude each other"},
        Case{kRewardModel, {"reward_model.group_size=10"}, "must be within 2 .. 9"},
        Case{kRewardModel, {"reward_model.token_dropout=1"}, "at least 0 and below 1"},
        Case{kTokenizer, {"tokenizer.vocab_size=256"}, "must be within 257"},
        Case{kTokenizer, {"tokenizer.pad=<pad>"}, "which is not in special_tokens"},
        Case{kTokenizer, {"roles=[{name: trainer, count: 2}]"}, "but a trainer of this job is 1"}));

INSTANTIATE_TEST_SUITE_P(
    Sampling, SpecRuleTest,
    ::testing::Values(
        Case{kPpo, {"ppo.iterations=0"}, "ppo.iterations is 0"},
        Case{kPpo, {"ppo.minibatch=17"}, "more than the 16 samples of an iteration"},
        Case{kPpo, {"ppo.dual_clip=0.5"}, "must be more than 1 (or 0 for off)"},
        Case{kPpo, {"ppo.kl_target=6"}, "ppo.kl_horizon is missing"},
        Case{kPpo, {"ppo.kl_loss=k1"}, "must be one of k2, k3"},
        Case{kPpo, {"ppo.ema_decay=0.9"}, "is not supported yet"},
        Case{kPpo, {"ppo.reward.components=[]"}, "ppo.reward.components is empty"},
        Case{kPpo, {"ppo.reward.components=[{name: x}]"}, "has no scorer"},
        Case{kPpo, {"ppo.sampling.max_new_tokens=0"}, "max_new_tokens is 0, must be at least 1"},
        Case{kPpo, {"ppo.sampling.min_new_tokens=17"}, "more than max_new_tokens 16"},
        Case{kPpo, {"roles=[{name: controller, count: 2}]"}, "but a controller of this job is 1"},
        Case{kGenerate, {"generate.prompts=[]"}, "generate.prompts is empty"},
        Case{kGenerate, {"generate.sampling.top_p=1.5"}, "top_p is 1.5, must be within 0 .. 1"},
        Case{kEval, {"eval.models.b.name=a"}, "is used by two models"},
        Case{kEval, {"eval.models.b.baseline=true"}, "is set on two models"},
        Case{kEval, {"eval.metrics.0.kind=polarity"}, "eval.metrics[0].file is missing"},
        Case{kEval, {"eval.gates=[{metric: variety}]"}, "bounds nothing"},
        Case{kEval, {"roles=[{name: rollout, count: 1}]"}, "but a rollout of this job is 2"}));

TEST(SpecValidationTest, AReferenceToNoStageNamesTheNearest) {
  const auto lines = Lines(ValidatePipeline(Pipeline(R"(
stages:
- {name: pretrain, fake: {steps: 1}}
- {name: gen, generate: {model: pretran/model, prompts: [{file: root://data/p}],
   sampling: {max_new_tokens: 4}}}
)")));
  EXPECT_THAT(lines, ::testing::ElementsAre(HasSubstr(
                         "stages[1] reads \"pretran/model\", but there is no stage \"pretran\" "
                         "(did you mean \"pretrain\"?)")));
}

TEST(SpecValidationTest, StagesThatWaitInACircleAreNamed) {
  const auto lines = Lines(ValidatePipeline(Pipeline(R"(
stages:
- {name: a, fake: {steps: 1}, after: [b]}
- {name: b, fake: {steps: 1}, after: [a]}
- {name: c, fake: {steps: 1}}
- {name: d, fake: {steps: 1}, after: [c]}
)")));
  EXPECT_THAT(lines, ::testing::ElementsAre("stages wait for one another in a circle: a, b"));
}

TEST(SpecValidationTest, StagesNeedUniqueNames) {
  const auto lines = Lines(ValidatePipeline(
      Pipeline("stages:\n- {name: a, fake: {steps: 1}}\n- {name: a, fake: {steps: 1}}\n"
               "- {fake: {steps: 1}}\n")));
  EXPECT_THAT(lines, ::testing::ElementsAre(HasSubstr("\"a\" is used by two stages"),
                                            HasSubstr("stages[2].name is missing")));
}

TEST(SpecValidationTest, AnEmptyPipelineIsRefused) {
  EXPECT_THAT(Lines(ValidatePipeline(v1::PipelineSpec())),
              ::testing::Contains("stages is 0, must be within 1 .. 256"));
}

TEST(SpecValidationTest, TheStatusCarriesEveryViolation) {
  const absl::Status status = ViolationsStatus({{"a.b", "is wrong"}, {"c", "is missing"}});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "a.b is wrong; c is missing");
  const auto detail = rpc::DetailOf(status);
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason, "SPEC_INVALID");
  ASSERT_EQ(detail->violations.size(), 2u);
  EXPECT_EQ(detail->violations[1].field, "c");
  EXPECT_TRUE(ViolationsStatus({}).ok());
}

}  // namespace
}  // namespace trainyard::coordinator
