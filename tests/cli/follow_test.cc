#include "cli/follow.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/verb_harness.h"

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

constexpr char kLine[] =
    "name: line\nstages:\n- {name: first, fake: {steps: 1}}\n"
    "- {name: second, fake: {steps: 1}, after: [first]}\n";

class FollowTest : public VerbTest {
 protected:
  // What Follow prints of the target, and the exit code it gives.
  Ran Followed(const std::string& name, const std::string& output = "table") {
    Globals globals;
    globals.output = output;
    const Captured captured;
    const auto code = Follow(client_, name, globals);
    EXPECT_TRUE(code.ok()) << code.status();
    return {code.value_or(-1), captured.Out(), captured.Err()};
  }

  Client client_{address()};
};

TEST(JobsOfTest, AJobIsItselfAndAPipelineItsStages) {
  v1::Job job;
  job.set_id("job-1");
  ASSERT_EQ(JobsOf(Target(job)).size(), 1u);
  EXPECT_EQ(JobsOf(Target(job))[0].id(), "job-1");
  v1::Pipeline pipeline;
  EXPECT_TRUE(JobsOf(Target(pipeline)).empty());
  pipeline.add_jobs()->set_id("job-2");
  pipeline.add_jobs()->set_id("job-3");
  EXPECT_EQ(JobsOf(Target(pipeline))[1].id(), "job-3");
}

TEST_F(FollowTest, WhatIsOverAlreadyIsToldAndNotWaitedFor) {
  Failed("demo");
  const Ran ran = Followed("demo");
  EXPECT_EQ(ran.code, kJobFailed);
  EXPECT_THAT(ran.out, HasSubstr("demo  failed"));
}

TEST_F(FollowTest, StagesAreToldInTheirOrder) {
  Submit(kLine);
  node().Exit("first", "trainer/0", v1::END_USER_ERROR, "rows are missing");
  const Ran ran = Followed("line");
  EXPECT_EQ(ran.code, kJobFailed);
  EXPECT_LT(ran.out.find("first"), ran.out.find("second")) << ran.out;
  EXPECT_THAT(ran.out, HasSubstr("second  cancelled"));
}

TEST_F(FollowTest, JsonIsAJobALine) {
  Failed("demo");
  const Ran ran = Followed("demo", "json");
  EXPECT_EQ(ran.At("/state"), "failed");
  EXPECT_EQ(ran.out.find('\n'), ran.out.size() - 1) << ran.out;
}

TEST_F(FollowTest, AnUnknownNameIsNotFound) {
  EXPECT_EQ(Follow(client_, "nobody", Globals()).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(WaitFor(client_, "nobody", absl::InfiniteFuture()).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(FollowTest, WaitingSaysNothingAndGivesTheJobAsItEnded) {
  const std::string id = Failed("demo");
  const Captured captured;
  const auto end = WaitFor(client_, "demo", absl::InfiniteFuture());
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(std::get<v1::Job>(*end).id(), id);
  EXPECT_EQ(std::get<v1::Job>(*end).state(), v1::FAILED);
  EXPECT_EQ(captured.Out() + captured.Err(), "");
}

TEST_F(FollowTest, WaitingEndsWithItsTime) {
  Submit("name: demo\nfake: {steps: 3}\n");
  const auto end = WaitFor(client_, "demo", absl::Now() + absl::Milliseconds(50));
  EXPECT_EQ(end.status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(FollowTest, ARestartOfTheCoordinatorIsSaidAndOutlived) {
  Submit("name: demo\nfake: {steps: 3}\n");
  const auto verb = Start({"watch", "demo"});
  ASSERT_TRUE(verb->Says("demo  queued"));
  RestartCoordinator();
  ASSERT_TRUE(client_.Cancel("demo", "enough").ok());
  const Ran ran = verb->End();
  EXPECT_EQ(ran.code, kJobCancelled);
  EXPECT_THAT(ran.err, HasSubstr("the coordinator is away; waiting for it\n"));
  EXPECT_THAT(ran.out, HasSubstr("cancelled: enough"));
}

}  // namespace
}  // namespace trainyard::cli
