#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/verb_harness.h"

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

using WaitTest = VerbTest;

constexpr char kDemo[] = "name: demo\nfake: {steps: 3}\n";

TEST_F(WaitTest, ItEndsWithTheJobAndSaysHow) {
  const std::string id = Submit(kDemo);
  const auto verb = Start({"wait", "demo"});
  const v1::Artifact model = OutputAt("model", "root://runs/demo/model");
  node().Succeed(id, "trainer/0", model);
  const Ran ran = verb->End();
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_EQ(ran.out, id + "  demo  succeeded\n");
}

TEST_F(WaitTest, TheOutcomeIsTheExitCode) {
  Submit(kDemo);
  ASSERT_EQ(Run({"cancel", "demo", "--reason", "enough"}).code, kDone);
  const Ran cancelled = Run({"wait", "demo"});
  EXPECT_EQ(cancelled.code, kJobCancelled);
  EXPECT_THAT(cancelled.out, HasSubstr("demo  cancelled  cancelled: enough"));
  const std::string failed = Failed("bad");
  const Ran failure = Run({"wait", "bad"});
  EXPECT_EQ(failure.code, kJobFailed);
  EXPECT_THAT(failure.out, HasSubstr(failed + "  bad  failed  user_error: rows are missing"));
}

TEST_F(WaitTest, APipelineIsOverWithItsLastStage) {
  Submit(
      "name: line\nstages:\n- {name: first, fake: {steps: 1}}\n"
      "- {name: second, fake: {steps: 1}, after: [first]}\n");
  node().Exit("first", "trainer/0", v1::END_USER_ERROR, "rows are missing");
  const Ran ran = Run({"wait", "line"});
  EXPECT_EQ(ran.code, kJobFailed);
  EXPECT_THAT(ran.out, HasSubstr("first  failed  user_error"));
  EXPECT_THAT(ran.out, HasSubstr("second  cancelled"));
}

TEST_F(WaitTest, TimeThatIsOverHasAnExitCodeOfItsOwn) {
  Submit(kDemo);
  const Ran ran = Run({"wait", "demo", "--timeout", "0.05"});
  EXPECT_EQ(ran.code, kTimeOver);
  EXPECT_EQ(ran.out, "");
  EXPECT_NE(ran.err, "");
}

TEST_F(WaitTest, JsonIsTheJobAsItEnded) {
  const std::string id = Failed("demo");
  const Ran ran = Run({"wait", "demo", "-o", "json"});
  EXPECT_EQ(ran.code, kJobFailed);
  EXPECT_EQ(ran.At("/id"), id);
  EXPECT_EQ(ran.At("/end/class"), "end_user_error");
}

TEST_F(WaitTest, AnUnknownJobIsNamed) {
  ExpectUnknownJobIsNamed({"wait", "nobody"});
  ExpectMissing({"wait"}, "JOB");
}

}  // namespace
}  // namespace trainyard::cli
