#include "agent/fake_task.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "checkpoint/store.h"
#include "tests/support/process.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard::agent {
namespace {

class FakeTaskTest : public ::testing::Test {
 protected:
  FakeTaskTest() : session_(task::StandAlone()) {
    assignment_.job_id = "job-a";
    assignment_.epoch = 3;
    assignment_.role = "trainer";
    assignment_.run_uri = "root://runs/job-a";
    assignment_.roots = Roots({{"runs", dir_.path()}});
    plan_.steps = 6;
    plan_.checkpoint_every = 2;
    plan_.checkpoint_bytes = 100;
  }
  EndReason Run() { return RunFakeTask(assignment_, plan_, session_.get()); }

  testing::TempDir dir_;
  task::Assignment assignment_;
  FakePlan plan_;
  std::unique_ptr<task::TaskSession> session_;
};

TEST_F(FakeTaskTest, WritesRealCheckpointsAndAnOutput) {
  EXPECT_EQ(Run().end_class, EndClass::kSucceeded);
  const auto listed = checkpoint::ListCheckpoints(dir_.File("job-a"));
  ASSERT_TRUE(listed.ok()) << listed.status();
  EXPECT_EQ(listed->size(), 2) << "steps 2 and 4; step 6 is the output";
  const auto loaded = checkpoint::LoadFirstGood({{dir_.File("job-a/e3/output"), ""}});
  EXPECT_TRUE(loaded.ok()) << loaded.status();
}

TEST_F(FakeTaskTest, GoesOnFromTheNewestGoodCheckpoint) {
  plan_.steps = 5;
  ASSERT_EQ(Run().end_class, EndClass::kSucceeded);
  assignment_.epoch = 4;
  assignment_.restore = {{.uri = "root://runs/job-a/e3/step-00000004"},
                         {.uri = "root://runs/job-a/e3/step-00000002"}};
  std::filesystem::resize_file(dir_.File("job-a/e3/step-00000004/state.bin"), 1);
  plan_.fail_at_step = 3;
  EXPECT_EQ(Run().step, 3) << "the torn one is passed over for that of step 2";
}

TEST_F(FakeTaskTest, FailsAsToldAndWhenToldOnly) {
  plan_.fail_at_step = 3;
  plan_.fail_class = EndClass::kNan;
  const EndReason reason = Run();
  EXPECT_EQ(reason.end_class, EndClass::kNan);
  EXPECT_EQ(reason.step, 3);
}

TEST_F(FakeTaskTest, AStopSavesACheckpointFirst) {
  plan_.steps = 3;
  ASSERT_EQ(Run().end_class, EndClass::kSucceeded);
  assignment_.epoch = 4;
  assignment_.restore = {{.uri = "root://runs/job-a/e3/step-00000002"}};
  session_->RequestStop({.checkpoint = true, .reason = "drain"});
  EXPECT_EQ(Run().end_class, EndClass::kDrained);
  EXPECT_TRUE(std::filesystem::exists(dir_.File("job-a/e4/step-00000002/manifest.json")));
}

TEST_F(FakeTaskTest, ARankThatDoesNotLeadWritesNothing) {
  assignment_.index = 1;
  EXPECT_EQ(Run().end_class, EndClass::kSucceeded);
  EXPECT_FALSE(std::filesystem::exists(dir_.File("job-a")));
}

TEST_F(FakeTaskTest, ThePlanIsTheSpecs) {
  v1::JobSpec spec;
  spec.mutable_fake()->set_steps(9);
  spec.mutable_fake()->set_step_seconds(0.5);
  v1::RoleSpec* controller = spec.add_roles();
  controller->set_name("controller");
  controller->set_count(1);
  assignment_.job_spec = spec.SerializeAsString();
  const auto plan = PlanOf(assignment_);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->steps, 9);
  EXPECT_EQ(plan->step_time, absl::Milliseconds(500));
  EXPECT_TRUE(plan->led) << "the controller leads, not this trainer";
  spec.mutable_eval();
  assignment_.job_spec = spec.SerializeAsString();
  EXPECT_EQ(PlanOf(assignment_).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace trainyard::agent
