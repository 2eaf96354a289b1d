#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/verb_harness.h"

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

class LogsTest : public VerbTest {
 protected:
  void SetUp() override {
    id_ = Submit("name: demo\nroles: [{name: trainer, count: 2}]\nfake: {steps: 3}\n");
  }
  std::string id_;
};

TEST_F(LogsTest, LinesOfSeveralTasksCarryTheTasksName) {
  node().Print("demo", "trainer/0", "step 1\nstep 2\n");
  node().Print("demo", "trainer/1", "loading\nhalf a li");
  const Ran ran = Run({"logs", "demo"});
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("trainer/0 | step 1\ntrainer/0 | step 2\n"));
  EXPECT_THAT(ran.out, HasSubstr("trainer/1 | loading\n"));
  EXPECT_THAT(ran.out, HasSubstr("trainer/1 | half a li\n"));
}

TEST_F(LogsTest, OneTaskIsShownAsItPrinted) {
  node().Print("demo", "trainer/0", "step 1\n");
  node().Print("demo", "trainer/1", "loading\nhalf a li");
  EXPECT_EQ(Run({"logs", id_, "--task", "trainer/1"}).out, "loading\nhalf a li");
}

TEST_F(LogsTest, JsonIsAChunkALine) {
  node().Print("demo", "trainer/0", "step 1\n");
  const Ran ran = Run({"logs", "demo", "-o", "json"});
  EXPECT_EQ(ran.At("/task"), "trainer/0");
  EXPECT_EQ(ran.At("/data"), "c3RlcCAxCg==");
}

TEST_F(LogsTest, AFollowerSeesEverythingUntilTheJobIsOver) {
  node().Print("demo", "trainer/0", "step 1\n");
  const auto verb = Start({"logs", "-f", "demo", "-t", "trainer/0"});
  ASSERT_TRUE(verb->Says("step 1\n"));
  node().Print("demo", "trainer/0", "step 2\n");
  node().Succeed("demo", "trainer/0", OutputAt("model", "root://runs/demo/model"));
  const Ran ran = verb->End();
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_EQ(ran.out, "step 1\nstep 2\n");
}

TEST_F(LogsTest, ATaskThatIsNotThereIsAnErrorThatNamesThoseThatAre) {
  node().Await("demo", "trainer/0");
  const Ran ran = Run({"logs", "demo", "--task", "rollout/3"});
  EXPECT_EQ(ran.code, kNotFound);
  EXPECT_THAT(ran.err, HasSubstr("job " + id_ +
                                 " has no task \"rollout/3\" (tasks: trainer/0, "
                                 "trainer/1)"));
}

TEST_F(LogsTest, ATaskThatPrintedNothingIsNoError) {
  node().Await("demo", "trainer/0");
  const Ran ran = Run({"logs", "demo", "--task", "trainer/0"});
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_EQ(ran.out, "");
}

TEST_F(LogsTest, AnAttemptThatIsNotThereIsAnErrorThatNamesTheLast) {
  node().Await("demo", "trainer/0");
  const Ran ran = Run({"logs", "demo", "--attempt", "7"});
  EXPECT_EQ(ran.code, kNotFound);
  EXPECT_THAT(ran.err, HasSubstr("job " + id_ + " has no attempt 7 (its last one: 1)"));
}

TEST_F(LogsTest, AnUnknownJobIsNamed) {
  ExpectUnknownJobIsNamed({"logs", "nobody"});
  ExpectMissing({"logs"}, "JOB");
}

}  // namespace
}  // namespace trainyard::cli
