#include "coordinator/spec_validation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/coordinator_service/spec_rules.h"

namespace trainyard::coordinator {
namespace {

using ::testing::HasSubstr;

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

TEST(SpecValidationTest, WhatEveryKindIsHeldTo) {
  ExpectHeld({
      {"name: x\n", {}, "the job has no kind"},
      {kFake, {"name=Bad_Name"}, "name is \"Bad_Name\""},
      {kFake, {"run_uri=/tmp/x"}, "run_uri is \"/tmp/x\", must be root://NAME"},
      {kFake, {"run_uri=root://runs/../x"}, "may not have empty, \".\" or \"..\" parts"},
      {kFake, {"run_uri=root://runs"}, "a path below the root is missing"},
      {kFake, {"priority=5000"}, "priority is 5000, must be within -1000 .. 1000"},
      {kFake, {"roles=[{name: trainr}]"}, "roles[0].name is \"trainr\"; this kind has"},
      {kFake, {"roles=[{name: trainer}, {name: trainer}]"}, "roles[1].name \"trainer\""},
      {kFake, {"roles=[{name: trainer, count: 5000}]"}, "a job has at most 4096 tasks"},
      {kFake, {"roles=[{name: trainer, min_count: 1}]"}, "is only for elastic roles"},
      {kFake, {"roles=[{name: rollout, count: 2, min_count: 3}]"}, "is 3, more than count 2"},
      {kFake, {"roles=[{name: trainer, resources: {gpus: 2}}]"}, "resources.gpus is 2"},
      {kFake,
       {"roles=[{name: trainer, resources: {gpu_memory_fraction: 0.5}}]"},
       "resources.device_group is missing"},
      {kFake, {"fake.steps=0"}, "fake.steps is 0, must be at least 1"},
      {kFake, {"after=['']"}, "after[0] is empty"},
  });
}

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
