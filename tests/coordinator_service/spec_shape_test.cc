#include "coordinator/spec_shape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/spec_roles.h"
#include "tests/coordinator_service/spec_texts.h"

namespace trainyard::coordinator {
namespace {

using ::testing::ElementsAre;

JobShape Shape(v1::JobSpec spec) {
  FillDefaults("job-abcdefghijkl", &spec);
  return ShapeOf(spec);
}

std::vector<std::string> RoleNames(const JobShape& shape) {
  std::vector<std::string> names;
  for (const RoleShape& role : shape.roles) names.push_back(role.name);
  return names;
}

TEST(SpecShapeTest, DefaultsGiveEachKindItsRoles) {
  EXPECT_THAT(RoleNames(Shape(Job(kFake))), ElementsAre("trainer"));
  EXPECT_THAT(RoleNames(Shape(Job(kPretrain))), ElementsAre("trainer"));
  EXPECT_THAT(RoleNames(Shape(Job(kTokenizer))), ElementsAre("trainer"));
  EXPECT_THAT(RoleNames(Shape(Job(kPpo))),
              ElementsAre("controller", "learner", "rollout", "reward"));
  EXPECT_THAT(RoleNames(Shape(Job(kGenerate))), ElementsAre("controller", "rollout"));
  EXPECT_THAT(RoleNames(Shape(Job(kEval))), ElementsAre("controller", "rollout"));
}

TEST(SpecShapeTest, AnEvalHasOneRolloutTaskPerModel) {
  const JobShape shape = Shape(Job(kEval));
  EXPECT_EQ(shape.roles[1].count, 2);
  EXPECT_EQ(shape.roles[1].min_count, 2);
}

TEST(SpecShapeTest, AJobThatScoresHasARewardTask) {
  const JobShape shape =
      Shape(Job(kGenerate, {"generate.reward={components: [{name: e, exact_match: {}}]}"}));
  EXPECT_THAT(RoleNames(shape), ElementsAre("controller", "rollout", "reward"));
}

TEST(SpecShapeTest, DefaultsFillWhatTheUserLeftOut) {
  v1::JobSpec spec = Job(kRewardModel, {"name=''"});
  FillDefaults("job-abcdefghijkl", &spec);
  EXPECT_EQ(spec.name(), "reward-model-ghijkl");
  EXPECT_EQ(spec.run_uri(), "root://runs/job-abcdefghijkl");
  EXPECT_EQ(spec.max_attempts(), 3);
  EXPECT_EQ(spec.roles(0).count(), 1);
  EXPECT_EQ(spec.roles(0).threads(), 1);
  EXPECT_EQ(spec.roles(0).resources().cpu_milli(), 1000);
}

TEST(SpecShapeTest, ThreadsAndCpuFollowEachOther) {
  const JobShape threads = Shape(Job(kSft, {"roles=[{name: trainer, threads: 4}]"}));
  EXPECT_EQ(threads.roles[0].resources.cpu_milli, 4000);
  const JobShape cpu = Shape(Job(kSft, {"roles=[{name: trainer, resources: {cpu_milli: 2500}}]"}));
  EXPECT_EQ(cpu.roles[0].threads, 2);
}

TEST(SpecShapeTest, ElasticRolesStartWithTheirMinimumAndOthersWhole) {
  const JobShape shape =
      Shape(Job(kPpo, {"roles=[{name: rollout, count: 3}, {name: learner, count: 2}]"}));
  EXPECT_FALSE(shape.roles[1].elastic);
  EXPECT_EQ(shape.roles[1].count, 2);
  EXPECT_EQ(shape.roles[1].min_count, 2);
  EXPECT_TRUE(shape.roles[2].elastic);
  EXPECT_EQ(shape.roles[2].count, 3);
  EXPECT_EQ(shape.roles[2].min_count, 1);
}

TEST(SpecShapeTest, InputsAndRootsAreFoundWhereverTheyStand) {
  const JobShape shape = Shape(Job(kPpo, {"ppo.critic=jobs/job-xyz/reward_model"}));
  ASSERT_EQ(shape.inputs.size(), 3u);
  EXPECT_EQ(shape.inputs[0], (ArtifactInput{"sft/model", "sft", "model"}));
  EXPECT_EQ(shape.inputs[1],
            (ArtifactInput{"jobs/job-xyz/reward_model", "job-xyz", "reward_model"}));
  EXPECT_EQ(shape.inputs[2], (ArtifactInput{"rm/reward_model", "rm", "reward_model"}));
  EXPECT_THAT(shape.roots, ElementsAre("data", "runs"));
}

TEST(SpecShapeTest, StagesOfAPipelineRunUnderItsDirectory) {
  v1::PipelineSpec spec = Pipeline(
      "run_uri: root://runs/demo\nstages:\n- {name: a, fake: {steps: 1}}\n"
      "- {name: b, fake: {steps: 1}, run_uri: root://runs/elsewhere}\n");
  FillPipelineDefaults("pipeline-abc", &spec);
  EXPECT_EQ(spec.stages(0).run_uri(), "root://runs/demo/a");
  EXPECT_EQ(spec.stages(1).run_uri(), "root://runs/elsewhere");
}

TEST(SpecShapeTest, LimitsReachTheShape) {
  const JobShape shape =
      Shape(Job(kFake, {"max_duration_seconds=90", "priority=7", "labels={team: blue}"}));
  EXPECT_EQ(shape.max_duration, absl::Seconds(90));
  EXPECT_EQ(shape.priority, 7);
  EXPECT_EQ(shape.labels.at("team"), "blue");
  EXPECT_EQ(Shape(Job(kFake)).max_duration, absl::InfiniteDuration());
}

}  // namespace
}  // namespace trainyard::coordinator
