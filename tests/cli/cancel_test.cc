#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/verb_harness.h"

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

using CancelTest = VerbTest;

constexpr char kDemo[] = "name: demo\nfake: {steps: 3}\n";

TEST_F(CancelTest, AWaitingJobIsCancelledAtOnceAndKeepsTheReason) {
  const std::string id = Submit(kDemo);
  const Ran ran = Run({"cancel", "demo", "--reason", "wrong learning rate"});
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_EQ(ran.out, id + " (demo) is cancelled\n");
  EXPECT_EQ(Job(id).end().message(), "wrong learning rate");
}

TEST_F(CancelTest, ARunningJobStopsBeforeItIsCancelled) {
  const std::string id = Submit(kDemo);
  node().Await(id, "trainer/0");
  EXPECT_EQ(Run({"cancel", id}).out, id + " (demo) is active, stopping\n");
  node().AwaitStop(id, "trainer/0");
  node().Exit(id, "trainer/0", v1::END_SIGNAL, "");
  EXPECT_TRUE(Becomes(id, v1::CANCELLED));
}

TEST_F(CancelTest, APipelineIsCancelledWithEveryStage) {
  const std::string id = Submit(
      "name: line\nstages:\n- {name: first, fake: {steps: 1}}\n"
      "- {name: second, fake: {steps: 1}, after: [first]}\n");
  const Ran ran = Run({"cancel", "line", "-o", "json"});
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_EQ(ran.At("/id"), id);
  EXPECT_EQ(ran.At("/jobs/0/state"), "cancelled");
  EXPECT_EQ(ran.At("/jobs/1/state"), "cancelled");
}

TEST_F(CancelTest, AJobThatIsOverStaysWhatItIs) {
  const std::string id = Succeeded("demo");
  const Ran ran = Run({"cancel", "demo"});
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_EQ(ran.out, id + " (demo) is succeeded\n");
}

TEST_F(CancelTest, AnUnknownJobIsNamed) {
  ExpectUnknownJobIsNamed({"cancel", "nobody"});
  ExpectMissing({"cancel"}, "JOB");
}

}  // namespace
}  // namespace trainyard::cli
