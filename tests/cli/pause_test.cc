#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/verb_harness.h"

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

using PauseTest = VerbTest;

constexpr char kDemo[] = "name: demo\nfake: {steps: 3}\n";

TEST_F(PauseTest, AWaitingJobIsPausedAtOnce) {
  const std::string id = Submit(kDemo);
  const Ran ran = Run({"pause", "demo"});
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_EQ(ran.out, id + " (demo) pauses; it is paused now\n");
}

TEST_F(PauseTest, ARunningJobIsPausedWhenItsTasksHaveStopped) {
  const std::string id = Submit(kDemo);
  node().Await(id, "trainer/0");
  EXPECT_EQ(Run({"pause", id}).out, id + " (demo) pauses; it is active now\n");
  node().AwaitStop(id, "trainer/0");
  node().Exit(id, "trainer/0", v1::END_DRAINED, "");
  EXPECT_TRUE(Becomes(id, v1::PAUSED));
}

TEST_F(PauseTest, JsonIsTheJob) {
  Submit(kDemo);
  const Ran ran = Run({"pause", "demo", "-o", "json"});
  EXPECT_EQ(ran.At("/state"), "paused");
  EXPECT_EQ(ran.At("/desired"), "pause");
}

TEST_F(PauseTest, AJobThatIsOverIsRefusedWithItsState) {
  Succeeded("demo");
  const Ran ran = Run({"pause", "demo"});
  EXPECT_EQ(ran.code, kRefused);
  EXPECT_THAT(ran.err, HasSubstr("('demo') is SUCCEEDED: it can not be paused"));
}

TEST_F(PauseTest, AnUnknownJobIsNamed) {
  ExpectUnknownJobIsNamed({"pause", "nobody"});
  ExpectMissing({"pause"}, "JOB");
}

}  // namespace
}  // namespace trainyard::cli
